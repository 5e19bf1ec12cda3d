// Attacks of one caller on all others: one for each cost that the service promises to bound.

import { randomInt, randomUUID } from 'node:crypto';
import type { Attacker } from './attacker.js';

/** The pool of the attacker. The victim has one of its own. */
export const THEIRS = 'theirs';
export const LARGE = 'large';

export interface Attack {
  readonly name: string;
  readonly what: string;
  /** Resolves when the attack is under way; it ends with its process. */
  readonly begin: (attacker: Attacker) => void | Promise<void>;
}

const EVENTS = `/api/pools/${THEIRS}/events`;
const ALLOCATE = '/api/tokens/allocate';
const WITHOUT_KEY = '';

const one = <T>(of: readonly T[]): T => of[randomInt(of.length)] as T;
const cursor = (text: string): string => Buffer.from(text).toString('base64url');

/** Almost 4 kB: numbers that are long when written out, quotes that need an escape, and text. */
const FAT = [
  { n: Array.from({ length: 600 }, () => 1e15) },
  { n: Array.from({ length: 600 }, () => 1e308) },
  { t: '"'.repeat(1900) },
  { t: 'é'.repeat(1900) },
];

const BEYOND = '9999999999999999';
const NOBODY = '00000000-0000-4000-8000-000000000000';
const FORGED = [
  ...['+16:00', '-15:59', '+24:00'].map(
    (offset) => `/api/pools/${THEIRS}?as_of=${encodeURIComponent(`2026-01-01T00:00:00${offset}`)}`,
  ),
  ...['0000-01-01T00:00:00Z', '2026-02-30T00:00:00Z', '2026-01-01T24:00:01Z'].map(
    (at) => `/api/pools/${THEIRS}?as_of=${at}`,
  ),
  `/api/tokens/available?pool=${THEIRS}&cursor=${cursor(`available~${BEYOND}~${NOBODY}`)}`,
  `/api/tokens/active?pool=${THEIRS}&cursor=${cursor(`active~${BEYOND}`)}`,
  `/api/tokens?pool=${THEIRS}&cursor=${cursor(`all~${NOBODY}`)}`,
];
const asOfNow = (): string => `/api/pools/${THEIRS}?as_of=${new Date(Date.now() - 1000).toISOString()}`;

export const ATTACKS: readonly Attack[] = [
  {
    name: 'fat-metadata',
    what: 'A1: grants with 4 kB of metadata, pages of 1,000 of their events, and streams',
    begin: async (attacker) => {
      const grant = (): Buffer => attacker.post(ALLOCATE, { pool: THEIRS, metadata: one(FAT) });
      await attacker.times(400, 4, grant);
      await attacker.keepOpen(4, attacker.get(`${EVENTS}/stream?after=0`));
      attacker.loop(4, grant);
      attacker.loop(4, () => attacker.get(`${EVENTS}?limit=1000&after=${randomInt(400)}`));
    },
  },
  {
    name: 'values',
    what: 'A2: `as_of` with far offsets and days that do not exist, forged cursors, 8 connections',
    begin: (attacker) => attacker.loop(8, (time) => attacker.get(time % 8 === 0 ? asOfNow() : one(FORGED))),
  },
  {
    name: 'abandoned',
    what: 'A3: audits of 200,000 tokens, 12 at a time, searches and pages, all abandoned',
    begin: (attacker) => {
      attacker.abandon(12, 100, () => attacker.get(`/api/pools/${LARGE}/audit`));
      attacker.abandon(4, 20, () => attacker.get(`/api/pools/${LARGE}/events?actor=nobody`));
      attacker.abandon(4, 20, () => attacker.get(`/api/pools/${LARGE}/events?limit=1000`));
    },
  },
  {
    name: 'public',
    what: 'A4: `/openapi.json`, `/docs`, `/health/ready` without a key, 16 connections',
    begin: (attacker) =>
      attacker.loop(16, (time) =>
        attacker.get(['/openapi.json', '/docs', '/health/ready'][time % 3] as string, WITHOUT_KEY),
      ),
  },
  {
    name: 'unfinished',
    what: 'A5: 2,100 bodies of one key that do not end',
    begin: (attacker) => attacker.keepOpen(2100, attacker.post(ALLOCATE, { pool: THEIRS }).subarray(0, -1)),
  },
  {
    name: 'reads',
    what: 'A5: reads of one key on 64 connections',
    begin: (attacker) =>
      attacker.loop(64, (time) =>
        attacker.get(time % 2 === 0 ? `/api/pools/${LARGE}/events?limit=1000` : `/api/tokens?pool=${LARGE}&limit=1000`),
      ),
  },
  {
    name: 'made-up-names',
    what: 'A5: allocates in pools that do not exist, 16 connections',
    begin: (attacker) => attacker.loop(16, () => attacker.post(ALLOCATE, { pool: `no-${randomUUID()}` })),
  },
  {
    name: 'streams',
    what: 'A5: one key takes all the streams it gets, and its pool is busy',
    begin: async (attacker) => {
      await attacker.keepOpen(1000, attacker.get(`${EVENTS}/stream`));
      attacker.loop(4, () => attacker.post(ALLOCATE, { pool: THEIRS }));
    },
  },
  {
    name: 'all-pools',
    what: 'A5: `GET /api/pools` of 2,000 pools, 8 connections',
    begin: (attacker) => attacker.loop(8, () => attacker.get('/api/pools')),
  },
  {
    name: 'other-spellings',
    what: 'A6: allocates by `/api/tokens/allocate/` and in capitals, 600 connections',
    begin: (attacker) =>
      attacker.loop(600, (time) =>
        attacker.post(time % 2 === 0 ? `${ALLOCATE}/` : ALLOCATE.toUpperCase(), { pool: THEIRS }),
      ),
  },
];
