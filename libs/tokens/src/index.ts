// The domain's door: what the API calls, and the ports that an adapter implements.

export { ANSWERS_ARE_KEPT_HOURS, type AnswerName, type Idempotency, type KeptAnswer } from './answer-book.js';
export { auditPool, type AuditReport } from './audit-pool.js';
export { Auditor, asStored } from './auditor.js';
export { ANYBODY, OPEN, SYSTEM, type Caller } from './caller.js';
export { DEFAULT_LIMITS, CommandQueue, type CommandQueueLimits } from './command-queue.js';
export { ChainAuditor } from './chain-auditor.js';
export { readCheckpoint, signCheckpoint, type ChainPoint, type Checkpoint } from './checkpoint.js';
export {
  callerGone,
  DomainError,
  historyDropped,
  positionUnknown,
  seqUnknown,
  type DomainErrorCode,
  type DomainErrorFacts,
} from './domain-error.js';
export { DEFAULT_POOL, ELASTIC_POOL, openPool, type FirstPool } from './first-start.js';
export { Gate } from './gate.js';
export { CHAIN_BEGINS, nextHash } from './event-chain.js';
export { checkExport, compareExport, exportLines } from './export.js';
export type { Follower } from './follower.js';
export type { Holding } from './holdings.js';
export { fromIso, instantOf, toIso, type Instant } from './instant.js';
export { EventRetention, dropExpired } from './event-retention.js';
export { InvariantViolation } from './invariant-violation.js';
export type { LeaseClaim } from './lease-claim.js';
export { fenceOf } from './lease-id.js';
export { LiveFeed, type LiveFeedObserver } from './live-feed.js';
export { MAX_METADATA_BYTES, whyNotMetadata } from './metadata.js';
export { needs, type Needs } from './needs.js';
export { ObservedTokenPoolRepository } from './observed-token-pool-repository.js';
export type { Batch, DecidedBatch, Observer } from './observer.js';
export { Phases } from './phases.js';
export {
  MAX_POOL_SIZE,
  MAX_TTL_SECONDS,
  POOL_NAME,
  countsHoldings,
  type Evict,
  type OnExhausted,
  type PolicyChange,
  type PoolKind,
  type PoolPolicy,
  type ReleaseAuthority,
} from './pool-policy.js';
export { sweep, type SweepResult } from './sweep.js';
export {
  isEviction,
  type EndReason,
  type GrantReason,
  type Metadata,
  type TokenEvent,
  type TokenEventKind,
} from './token-event.js';
export type { PoolSlice, PoolState } from './pool-slice.js';
export { TokenPool, type AllocateRequest, type Grant, type Renewal } from './token-pool.js';
export { TokenPoolRepository, type Transactions } from './token-pool-repository.js';
export { TokenPoolService, type Asked } from './token-pool-service.js';
export {
  SCANNED,
  TokenReader,
  type EventFilter,
  type PageRequest,
  type TokenQuery,
  type Whereabouts,
} from './token-reader.js';
export type { Lease, Token } from './token.js';
export {
  detailsFor,
  eventFor,
  maySee,
  maySeeActor,
  SOMEBODY,
  tokenFor,
  useFor,
  userFor,
  type Viewer,
} from './visibility.js';
export type * from './views.js';
