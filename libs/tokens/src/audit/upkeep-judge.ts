// Checks what happens to tokens between two users, event by event: nothing that is dirty, disabled or resting is
// granted, only a dirty token is cleaned, and what the policy demands after a lease follows at once. It shares no code
// with the aggregate.

import type { FoldedToken, FoldedUpkeep } from './comparison.js';
import { fromIso, toIso, type Instant } from '../kernel/instant.js';
import { isOfUpkeep, type UPKEEP_EVENTS } from '../pool/token-event.js';
import type { StoredEventView } from '../reading/views.js';

type Find = (event: StoredEventView, what: string) => void;

/** What must follow an event at once. */
interface Due {
  readonly after: StoredEventView;
  readonly event: 'soiled' | 'disabled';
  readonly otherwise: string;
}

/** The ends of leases that nobody has used, and those with which the token goes. */
const WITHOUT_USE: readonly StoredEventView['reason'][] = [
  'unclaimed',
  'undelivered',
  'deleted_by_client',
  'pool_deleted',
];

export class UpkeepJudge {
  #due: Due | null = null;
  /** The tokens that are dirty or disabled, or rest; those that have rested since are among them. */
  readonly #keptBack = new Set<FoldedToken>();

  /** @param policy the fields of the policy that the feed has told */
  constructor(
    private readonly policy: ReadonlyMap<string, unknown>,
    private readonly find: Find,
  ) {}

  /** Must be called with every event, before the auditor folds it. @param token the token of the event, before it */
  add(event: StoredEventView, token: FoldedToken | undefined): void {
    this.#expectDue(event);
    if (!token) return;
    if (event.event === 'activated') this.#activated(event, token);
    else if (event.event === 'released' || event.event === 'expired') this.#ended(event, token);
    else if (event.event === 'deleted') this.#keptBack.delete(token);
    else if (isOfUpkeep(event.event)) this.#changed(event, event.event, token);
  }

  /** A token of a snapshot. */
  recall(token: FoldedToken): void {
    if (token.upkeep) this.#keptBack.add(token);
  }

  /** Must be called once, after the last event. */
  finish(): void {
    this.#expectDue(null);
  }

  /** How many of the tokens that nobody holds could not be granted at an instant, all or some of them. */
  keptBack(at: Instant, isOne: (token: FoldedToken) => boolean = () => true): number {
    let kept = 0;
    for (const token of this.#keptBack) if (token.lease === null && whyNot(token.upkeep, at) && isOne(token)) kept++;
    return kept;
  }

  #expectDue(next: StoredEventView | null): void {
    const due = this.#due;
    this.#due = null;
    if (!due) return;
    const isSame = next?.token_id === due.after.token_id;
    const isRight = isSame && (next?.event === due.event || next?.event === 'deleted' || next?.event === 'disabled');
    if (!isRight) this.find(due.after, due.otherwise);
  }

  #activated(event: StoredEventView, { upkeep }: FoldedToken): void {
    const why = whyNot(upkeep, event.occurred_at);
    if (event.reason === 'cleaning') {
      if (why !== 'is dirty') this.find(event, `is given to be cleaned, and the token ${why ?? 'is clean'}`);
    } else if (why) this.find(event, `hands out a token that ${why}`);
  }

  #ended(event: StoredEventView, token: FoldedToken): void {
    const { available_at } = event.metadata ?? {};
    const restsUntil = typeof available_at === 'string' ? fromIso(available_at) : null;
    const isCleaning = token.lease?.isCleaning === true;
    if (restsUntil !== null || token.upkeep) this.#keep(token, { restsUntil });
    if (isCleaning || WITHOUT_USE.includes(event.reason) || token.lease?.isOffered) return;
    if (this.policy.get('after_use') === 'clean') {
      this.#due = { after: event, event: 'soiled', otherwise: 'leaves a token as clean that was used' };
    }
  }

  #changed(event: StoredEventView, kind: (typeof UPKEEP_EVENTS)[number], token: FoldedToken): void {
    const { upkeep } = token;
    const { occurred_at: at, metadata } = event;
    const isDirty = upkeep?.dirtySince != null;
    switch (kind) {
      case 'soiled':
        if (token.lease) this.find(event, 'is about a token that is held');
        if (event.reason === 'not_cleaned') return this.#notCleaned(event, token);
        return this.#keep(token, { dirtySince: at, failedCleanings: 0 });
      case 'cleaned':
        if (token.lease) this.find(event, 'is about a token that is held');
        if (!isDirty) this.find(event, 'cleans a token that is clean');
        return this.#keep(token, { dirtySince: null, failedCleanings: 0 });
      case 'disabled':
        if (token.lease && metadata?.['when_free'] !== true) this.find(event, 'disables a token that is held');
        return this.#keep(token, { disabled: { reason: String(metadata?.['note']), at } });
      case 'enabled':
        if (!upkeep?.disabled) this.find(event, 'enables a token that is not disabled');
        return this.#keep(token, { disabled: null, failedCleanings: 0 });
    }
  }

  #notCleaned(event: StoredEventView, token: FoldedToken): void {
    if (token.upkeep?.dirtySince == null) this.find(event, 'was not cleaned, and was not dirty');
    const failedCleanings = (token.upkeep?.failedCleanings ?? 0) + 1;
    this.#keep(token, { failedCleanings });
    const most = this.policy.get('max_cleans');
    if (typeof most === 'number' && failedCleanings >= most && !token.upkeep?.disabled) {
      this.#due = { after: event, event: 'disabled', otherwise: `stays in service after ${failedCleanings} cleanings` };
    }
  }

  #keep(token: FoldedToken, change: Partial<FoldedUpkeep>): void {
    const upkeep = { ...(token.upkeep ?? NOTHING), ...change };
    const isNothing = upkeep.dirtySince === null && upkeep.restsUntil === null && upkeep.disabled === null;
    token.upkeep = isNothing ? null : upkeep;
    if (isNothing) this.#keptBack.delete(token);
    else this.#keptBack.add(token);
  }
}

const NOTHING: FoldedUpkeep = { dirtySince: null, restsUntil: null, failedCleanings: 0, disabled: null };

/** Why a token cannot be granted at an instant; null when it can. */
function whyNot(upkeep: FoldedUpkeep | null, at: Instant): string | null {
  if (upkeep?.disabled) return 'is disabled';
  if (upkeep?.dirtySince != null) return 'is dirty';
  const restsUntil = upkeep?.restsUntil ?? null;
  return restsUntil !== null && restsUntil > at ? `rests until ${toIso(restsUntil)}` : null;
}
