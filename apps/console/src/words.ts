// The texts of the console about pools, leases and events: the vocabulary of the API in whole sentences.

import type { Attributes, EndReason, Policy, Pool, PoolEvent, Thing } from './api.js';
import { kindOf, type Kind, type Status } from './live/pool-state.js';

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** "2 min", "1 h 30 min", "0.5 s": the two largest units that are not zero. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  let rest = Math.round(seconds);
  const parts: string[] = [];
  for (const [unit, length] of UNITS) {
    if (rest >= length) {
      parts.push(`${Math.floor(rest / length)} ${unit}`);
      rest %= length;
    } else if (parts.length > 0) parts.push('');
    if (parts.length === 2) break;
  }
  return parts.filter((part) => part !== '').join(' ');
}

/** Time left as a clock shows it: "1:32", "0:09", "2:03:00"; days as "3 d 4 h". Rounds up to whole seconds. */
export function countdown(ms: number): string {
  const seconds = Math.max(Math.ceil(ms / 1000), 0);
  if (seconds >= 86_400) return duration(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [h, min, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(min)}:${two(s)}` : `${min}:${two(s)}`;
}

/** "12 a minute", "20 a second". Empty when the log covers less than a minute, too little for a rate. */
export function rate(granted: number, overSeconds: number): string {
  if (!(overSeconds >= 60)) return '';
  const perMinute = (granted / overSeconds) * 60;
  if (perMinute >= 600) return `${number(Math.round(perMinute / 60))} a second`;
  return perMinute >= 10 ? `${Math.round(perMinute)} a minute` : `${Math.round(perMinute * 10) / 10} a minute`;
}

/** Explains the policy: one sentence for each rule. */
export function policyInWords(pool: Policy & Pick<Pool, 'kind'>): string[] {
  const length = duration(pool.ttl_seconds);
  const most = pool.max_lifetime_seconds;
  const sentences = [
    ...(pool.status === 'paused' ? ['Paused: nothing is granted.'] : []),
    ORIGIN[pool.kind](count(pool.size, 'token')),
    pool.renewable
      ? `A lease lasts ${length} and can be kept alive${most === null ? '' : `, ${duration(most)} at most`}.`
      : `A lease lasts ${most !== null && most < pool.ttl_seconds ? duration(most) : length} and cannot be kept alive.`,
    whenFull(pool),
    pool.release_authority === 'anyone'
      ? 'Everybody who knows a token may release it.'
      : 'Only the holder of the lease may release it.',
  ];
  sentences.push(...quotas(pool), ...betweenUsers(pool));
  if (pool.idle_ttl_seconds !== null) {
    sentences.push(`A free token that nobody uses for ${duration(pool.idle_ttl_seconds)} is deleted.`);
  }
  return sentences;
}

/** Where the tokens of a pool come from. */
const ORIGIN: Readonly<Record<Pool['kind'], (tokens: string) => string>> = {
  fixed: (tokens) => `${tokens}, made once.`,
  elastic: (tokens) => `Up to ${tokens}, made on request.`,
  listed: (tokens) => `Up to ${tokens}, each a thing of your own that you put in.`,
};

function whenFull(policy: Policy): string {
  const { on_exhausted, evict, protect_seconds, max_waiting, max_waiting_per_user, claim_seconds } = policy;
  const claimed = `what one is offered must be claimed within ${duration(claim_seconds)}`;
  const places = max_waiting_per_user === 1 ? 'one place' : `${number(max_waiting_per_user)} places`;
  const waits = `${number(max_waiting)} may wait in line, each user with ${places}; ${claimed}`;
  if (on_exhausted === 'reject' || keepsBack(policy)) {
    return max_waiting === 0 ? 'When none is free, the request is refused.' : `When none is free, ${waits}.`;
  }
  const whose = evict === 'oldest' ? 'the oldest lease is' : 'the oldest lease of the user who holds the most is';
  const but = protect_seconds === null ? '' : `, but none before it is ${duration(protect_seconds)} old`;
  return `When none is free, ${whose} evicted${but}${max_waiting === 0 ? '' : `; meanwhile ${waits}`}.`;
}

/** Whether a token may not be granted again at the end of its lease, so that the pool evicts none. */
const keepsBack = ({ cooldown_seconds, after_use }: Policy): boolean =>
  cooldown_seconds !== null || after_use === 'clean';

/** What happens to a token between two users. */
function betweenUsers(policy: Policy): string[] {
  const { cooldown_seconds, cooldown_after, after_use, clean_within_seconds, max_cleans } = policy;
  const { disable_after_unclean } = policy;
  const sentences: string[] = [];
  if (cooldown_seconds !== null) {
    const when = cooldown_after === 'always' ? 'after each lease' : 'after a lease that its holder did not release';
    sentences.push(`A token rests for ${duration(cooldown_seconds)} ${when}.`);
  }
  if (after_use === 'clean') {
    const within = clean_within_seconds === null ? '' : ` within ${duration(clean_within_seconds)}`;
    const fails = `after ${count(max_cleans, 'failed cleaning')} it is out of service`;
    sentences.push(`After each lease somebody must clean the token${within}; ${fails}.`);
  }
  if (disable_after_unclean !== null) {
    const users = `${count(disable_after_unclean, 'user')} in a row`;
    sentences.push(`A token whose leases of ${users} ended uncleanly is out of service.`);
  }
  return sentences;
}

function quotas({ max_per_user, max_per_key }: Policy): string[] {
  const limits = [
    ...(max_per_user === null ? [] : [`a user ${number(max_per_user)}`]),
    ...(max_per_key === null ? [] : [`an API key ${number(max_per_key)}`]),
  ];
  return limits.length === 0 ? [] : [`At a time ${limits.join(' and ')} at most.`];
}

/** The advice when an elastic pool refuses: an allocation needs a token that was generated before. */
export function generateFirst({ kind, size }: Pick<Pool, 'kind' | 'size'>, total: number): string {
  if (kind === 'fixed' || total >= size) return '';
  if (kind === 'listed') return total === 0 ? ' This pool has no tokens yet: import your things first.' : '';
  return total === 0
    ? ' This pool has no tokens yet: generate one first.'
    : ` ${count(size - total, 'more token')} may be generated.`;
}

export const count = (n: number, thing: string): string => `${number(n)} ${thing}${n === 1 ? '' : 's'}`;

/** "1st", "22nd", "13th". */
export function ordinal(n: number): string {
  const isTeen = n % 100 > 10 && n % 100 < 14;
  return `${number(n)}${isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`;
}

const NUMBER = new Intl.NumberFormat('en');
export const number = (n: number): string => NUMBER.format(n);

/** Groups of three digits with one separator, then optionally a decimal sign that differs from the separator. */
const GROUPED = /^(-?\d{1,3})(?:([,.'’_\s])(\d{3}(?:\2\d{3})*))(?:([,.])(\d+))?$/u;

/**
 * Parses a number in the form of this page or of the reader's language. "1,000" is a thousand, as this page writes it;
 * "1.000" is a thousand only in a language that groups by points.
 * @returns undefined for an empty text; the text itself when it is not a number, so that the service refuses it
 */
export function numberIn(text: string, language?: string): number | undefined {
  const typed = text.trim();
  if (typed === '') return undefined;
  const value = Number(plain(typed, language));
  // Beyond the safe integers a double rounds, and the form would send another number than the typed one.
  return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : (text as unknown as number);
}

function plain(typed: string, language?: string): string {
  const [, first, mark, rest, decimal, fraction] = GROUPED.exec(typed) ?? [];
  const isDecimalPoint = mark === '.' && decimal === undefined && rest!.length === 3 && !pointsGroup(language);
  if (mark !== undefined && mark !== decimal && !isDecimalPoint) {
    return first! + rest!.replaceAll(mark, '') + (fraction === undefined ? '' : `.${fraction}`);
  }
  return /^-?(\d+([.,]\d*)?|[.,]\d+)$/.test(typed) ? typed.replace(',', '.') : 'none';
}

const pointsGroup = (language?: string): boolean =>
  new Intl.NumberFormat(language).formatToParts(1e6).some(({ type, value }) => type === 'group' && value === '.');

/** The first eight digits, which distinguish the UUIDs on one page. */
export const shortId = (id: string): string => id.slice(0, 8);

/** What a sentence calls a token. */
export const nameOf = ({ id, name }: { readonly id: string; readonly name: string | null }): string =>
  name ?? shortId(id);

/** At most so many characters. The ends stay, because they tell phone numbers and devices apart. */
export function shortened(text: string, most: number): string {
  const characters = [...text];
  if (characters.length <= most) return text;
  const tail = Math.floor((most - 1) / 2);
  return [...characters.slice(0, most - 1 - tail), '…', ...characters.slice(characters.length - tail)].join('');
}

/** "os 14, country de" */
export const attributesInWords = (attributes: Attributes): string =>
  Object.entries(attributes)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');

/** Stands for a user that this key may not see. */
export const SOMEBODY = 'somebody';

export const STATUS_WORDS: Readonly<Record<Status, string>> = {
  available: 'free',
  active: 'held',
  cleaning: 'being cleaned',
  cooling: 'resting',
  dirty: 'dirty',
  disabled: 'out of service',
};

/** Who has done something, by the actor of its event. */
export function actorInWords(actor: string): string {
  if (actor === 'system') return 'by the policy';
  return actor === 'open' ? 'by a client' : `by the key ${actor}`;
}

export const END_WORDS: Readonly<Record<EndReason, string>> = {
  released_by_client: 'released',
  revoked: 'ended by force',
  undelivered: 'taken back: its answer did not reach the caller',
  lru_eviction: 'evicted: the pool was full, and this lease the oldest',
  over_share_eviction: 'evicted: the pool was full, and nobody held more',
  selected_eviction: 'evicted: no token like it was free, and this lease the oldest of theirs',
  cleanup: 'ended by a cleanup',
  ttl_expired: 'expired: its time was up',
  unclaimed: 'expired: nobody claimed the offer',
  deleted_by_client: 'ended, as the token was deleted',
  pool_deleted: 'ended, as the pool was deleted',
};

export const KIND_WORDS: Readonly<Record<Kind, string>> = {
  granted: 'Granted',
  renewed: 'Renewed',
  released: 'Released',
  evicted: 'Evicted',
  cleaned: 'Cleaned up',
  expired: 'Expired',
  'ended-by-deletion': 'Ended',
  generated: 'Generated',
  described: 'Changed',
  deleted: 'Deleted',
  soiled: 'Dirty',
  'made-clean': 'Clean again',
  disabled: 'Out of service',
  enabled: 'In service again',
  'policy-changed': 'Policy changed',
  'pool-deleted': 'Pool deleted',
  'pool-opened': 'Pool opened again',
  queued: 'Waits',
  left: 'Left the line',
  promised: 'Promised later',
};

/** The reason of an event, as the text behind its kind. */
export function reasonInWords({ event, reason, metadata }: Pick<PoolEvent, 'event' | 'reason' | 'metadata'>): string {
  if (event === 'policy_changed') return changeInWords(metadata as unknown as PolicyChange);
  if (event === 'described') return descriptionInWords(metadata);
  if (event === 'generated' && typeof metadata['name'] === 'string') return 'put into the pool';
  if (event === 'queued') return `as number ${String(metadata['position'])} in line`;
  if (event === 'promised') return laterInWords(metadata['not_later_than']);
  switch (reason) {
    case 'allocated':
      return 'a free token';
    case 'offered':
      return 'offered to the first in line';
    case 'claimed':
      return 'claimed by the first in line';
    case 'cleaning':
      return 'to be cleaned';
    case 'used':
      return 'after it was used';
    case 'reported_dirty':
      return 'its holder says so';
    case 'not_cleaned':
      return event === 'disabled' ? 'too many cleanings have failed' : 'its cleaning has failed';
    case 'reported_broken':
      return 'its holder says that it is broken';
    case 'disabled_by_client':
      return 'by a client';
    case 'unclean_ends':
      return 'too many leases in a row ended uncleanly';
    case 'unclaimed':
      return 'nobody claimed the offer';
    case 'cancelled':
      return 'the place was given back';
    case 'patience':
      return 'there was no sign of life';
    case 'cleared':
      return 'it was removed';
    case 'allocated_after_eviction':
      return 'after a lease was evicted';
    case 'released_by_client':
      return 'by a client';
    case 'revoked':
      return 'by force';
    case 'undelivered':
      return 'the grant did not reach its caller';
    case 'lru_eviction':
      return 'the pool was full, and this lease the oldest';
    case 'over_share_eviction':
      return 'the pool was full, and nobody held more';
    case 'selected_eviction':
      return 'no token like it was free, and this lease the oldest of theirs';
    case 'cleanup':
      return 'with all leases of the pool';
    case 'ttl_expired':
      return 'its time was up';
    case 'idle_ttl':
      return 'nobody used it';
    case 'deleted_by_client':
      return event === 'deleted' ? 'by a client' : 'the token was deleted';
    case 'pool_deleted':
      return 'the pool was deleted';
    case 'removed':
      return 'taken out of the pool';
    case 'shrunk':
      return 'the pool became smaller';
    case null:
      return event === 'renewed' ? 'kept alive by its holder' : '';
  }
}

const laterInWords = (at: unknown): string =>
  typeof at === 'string' ? `at the latest ${new Date(at).toLocaleTimeString()}` : 'without a time';

interface PolicyChange {
  readonly before: Partial<Policy>;
  readonly after: Partial<Policy>;
}

/** "size 100 → 120, renewable false → true". */
const changeInWords = ({ before, after }: PolicyChange): string =>
  Object.keys(after)
    .map((field) => `${field} ${before[field as keyof Policy] ?? 'none'} → ${after[field as keyof Policy] ?? 'none'}`)
    .join(', ');

interface Description {
  readonly before?: Partial<Thing>;
  readonly after?: Partial<Thing>;
  readonly secret?: 'changed';
}

/** "renamed from a to b, os 14 → 15, country de → none, its secret". */
function descriptionInWords({ before = {}, after = {}, secret }: Description): string {
  const parts = after.name == null || before.name == null ? [] : [`renamed from ${before.name} to ${after.name}`];
  if (after.attributes) parts.push(...differencesOf(before.attributes ?? {}, after.attributes));
  if (secret) parts.push('its secret');
  return parts.join(', ');
}

/** "os 14 → 15" for each attribute that differs. */
export function differencesOf(before: Attributes, after: Attributes): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys
    .filter((key) => before[key] !== after[key])
    .map((key) => `${key} ${before[key] ?? 'none'} → ${after[key] ?? 'none'}`);
}

/** What an event is called: in a listed pool nothing is generated. */
export const kindInWords = (event: PoolEvent): string =>
  event.event === 'generated' && typeof event.metadata['name'] === 'string' ? 'Added' : KIND_WORDS[kindOf(event)];
