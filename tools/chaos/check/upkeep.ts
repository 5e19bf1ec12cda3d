// Checks what happened between two users, by the feed of the pool whose tokens are cleaned and by what users and
// janitors were answered. It shares no code with the auditor.

import { fromIso, type OwnedEvent } from '@app/tokens';
import type { History, PoolHistory, PoolSetting, Visit } from '../history.js';

export interface UpkeepFigures {
  readonly grants: number;
  readonly cleanings: number;
  /** Cleanings after which the token was clean, and those that failed: reported, or never ended by their janitor. */
  readonly cleaned: number;
  readonly failed: number;
  readonly disabled: number;
  readonly enabled: number;
  /** The longest time for which a token was cleaned until it was available or disabled, in seconds. */
  readonly cleanedForSeconds: number;
  /** The longest time for which a token was dirty and waited for a janitor. */
  readonly waitedSeconds: number;
}

interface Verdict {
  readonly findings: readonly string[];
  readonly figures: UpkeepFigures;
}

export function checkUpkeep({ cleaned, visits }: History): Verdict | null {
  if (!cleaned) return null;
  const fold = new UpkeepFold(cleaned.setting);
  for (const event of cleaned.events) fold.add(event);
  return { findings: [...fold.findings, ...answers(cleaned, visits)], figures: fold.figures };
}

interface TokenThen {
  /** The fence of its lease, and whether that is a janitor's. */
  fence: number | null;
  isCleaned: boolean;
  isDirty: boolean;
  isDisabled: boolean;
  restsUntil: number;
  /** A lease of a user has ended, so that an event must say that it is dirty. */
  mustBeSoiled: boolean;
  failures: number;
  /** Since when it waits for a janitor, and since when a janitor has it. */
  since: number;
  /** For how long janitors have had it since it was dirty, in microseconds. */
  cleanedFor: number;
}

const FRESH: TokenThen = {
  fence: null,
  isCleaned: false,
  isDirty: false,
  isDisabled: false,
  restsUntil: 0,
  mustBeSoiled: false,
  failures: 0,
  since: 0,
  cleanedFor: 0,
};

/** The ends of leases that nobody has used. */
const UNUSED: readonly OwnedEvent['reason'][] = ['unclaimed', 'undelivered'];

class UpkeepFold {
  readonly findings: string[] = [];
  readonly #tokens = new Map<string, TokenThen>();
  readonly #counts = { grants: 0, cleanings: 0, cleaned: 0, failed: 0, disabled: 0, enabled: 0 };
  #longest = 0;
  #waited = 0;

  constructor(private readonly setting: PoolSetting) {}

  get figures(): UpkeepFigures {
    return { ...this.#counts, cleanedForSeconds: this.#longest / 1e6, waitedSeconds: this.#waited / 1e6 };
  }

  add(event: OwnedEvent): void {
    const { token_id, seq } = event;
    if (token_id === null) return;
    const token = this.#tokens.get(token_id) ?? { ...FRESH };
    this.#tokens.set(token_id, token);
    const say = (what: string): unknown => this.findings.push(`seq ${seq}: token ${token_id} ${what}`);
    if (token.mustBeSoiled && event.event !== 'soiled') say('was used, and is not dirty');
    token.mustBeSoiled = false;
    this.#apply(event, token, say);
  }

  #apply(event: OwnedEvent, token: TokenThen, say: (what: string) => unknown): void {
    const { event: kind, reason, fence, metadata } = event;
    const at = fromIso(event.occurred_at);
    const { max_cleans: maxCleans = Infinity } = this.setting;
    if (kind === 'activated') {
      this.#granted(event, token, at, say);
    } else if (kind === 'released' || kind === 'expired') {
      if (token.fence !== fence) say(`ends the lease ${fence}, and has ${token.fence}`);
      if (token.isCleaned) {
        token.cleanedFor += at - token.since;
        this.#longest = Math.max(this.#longest, token.cleanedFor);
        if (token.cleanedFor > longestCleaning(this.setting) * 1e6)
          say(`was with janitors for ${token.cleanedFor / 1e6} s, and is neither clean nor disabled`);
        token.since = at;
      } else if (!UNUSED.includes(reason)) {
        this.#rests(metadata['available_at'], token, at, say);
        token.mustBeSoiled = true;
      }
      token.fence = null;
    } else if (kind === 'soiled') {
      if (!token.isDirty) Object.assign(token, { isDirty: true, failures: 0, since: at, cleanedFor: 0 });
      if (reason !== 'not_cleaned') return;
      token.failures++;
      this.#counts.failed++;
      if (token.failures > maxCleans) say(`was not cleaned in ${token.failures} cleanings, and is not disabled`);
    } else if (kind === 'cleaned') {
      if (!token.isCleaned || token.fence !== null) say('is clean, and no janitor has said so');
      this.#counts.cleaned++;
      Object.assign(token, { isDirty: false, failures: 0, cleanedFor: 0 });
    } else if (kind === 'disabled') {
      if (reason === 'not_cleaned' && token.failures < maxCleans) say(`is disabled after ${token.failures} cleanings`);
      token.isDisabled = true;
      this.#counts.disabled++;
    } else if (kind === 'enabled') {
      if (!token.isDisabled) say('is enabled, and was not disabled');
      Object.assign(token, { isDisabled: false, failures: 0, cleanedFor: 0, since: at });
      this.#counts.enabled++;
    }
  }

  #granted({ reason, fence }: OwnedEvent, token: TokenThen, at: number, say: (what: string) => unknown): void {
    const isCleaning = reason === 'cleaning';
    if (token.fence !== null) say(`is granted while it is held (${token.fence})`);
    if (token.isDisabled) say('is granted while it is out of service');
    if (isCleaning !== token.isDirty) say(isCleaning ? 'is cleaned, and is not dirty' : 'is granted while it is dirty');
    if (!isCleaning && at < token.restsUntil) say(`is granted ${(token.restsUntil - at) / 1e6} s before it has rested`);
    if (isCleaning) {
      this.#counts.cleanings++;
      this.#waited = Math.max(this.#waited, at - token.since);
      token.since = at;
    } else this.#counts.grants++;
    token.fence = fence;
    token.isCleaned = isCleaning;
  }

  #rests(availableAt: unknown, token: TokenThen, at: number, say: (what: string) => unknown): void {
    const { cooldown_seconds: cooldown = 0 } = this.setting;
    token.restsUntil = typeof availableAt === 'string' ? fromIso(availableAt) : 0;
    if (token.restsUntil !== at + cooldown * 1e6) say(`rests until ${String(availableAt)}, not for ${cooldown} s`);
  }
}

/** No token may be with janitors for longer than so many cleanings, each of which has its own end. */
export const longestCleaning = ({ max_cleans = 0, clean_within_seconds = 0 }: PoolSetting): number =>
  max_cleans * clean_within_seconds;

/** What users and janitors were answered, against the feed. */
function answers({ events }: PoolHistory, visits: readonly Visit[]): string[] {
  const begun = new Map<number, OwnedEvent>();
  const ended = new Map<number, OwnedEvent>();
  for (const event of events) {
    if (event.fence === null) continue;
    if (event.event === 'activated') begun.set(event.fence, event);
    else if (event.event !== 'renewed') ended.set(event.fence, event);
  }
  return visits.flatMap(({ as, fence, token, condition, released }) => {
    const grant = begun.get(fence);
    const isSame = grant?.token_id === token && (grant.reason === 'cleaning') === (as === 'janitor');
    if (!isSame) return [`a ${as} got token ${token} with fence ${fence}, which is not in the audit`];
    const end = ended.get(fence);
    const said = end?.metadata['condition'];
    if (released === true && (end?.reason !== 'released_by_client' || said !== condition))
      return [`a ${as} released fence ${fence} as ${condition}, in the audit it is ${end?.reason} as ${String(said)}`];
    if (released === false && end?.reason === 'released_by_client')
      return [`a ${as} was refused the release of fence ${fence}, which is in the audit`];
    return [];
  });
}
