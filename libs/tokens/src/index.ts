// The domain's door: what the API calls, and the ports that an adapter implements.

export { IDEMPOTENCY_RECORD_HOURS, type Idempotency, type IdempotencyRecord } from './pool/idempotency-records.js';
export { auditPool, type AuditReport } from './audit/audit-pool.js';
export { Auditor, asStored } from './audit/auditor.js';
export { ANYBODY, OPEN, SYSTEM, type Caller } from './kernel/caller.js';
export { readCheckpoint, signCheckpoint, type ChainPoint } from './audit/checkpoint.js';
export {
  callerGone,
  DomainError,
  historyDropped,
  poolDeleted,
  poolNotFound,
  positionUnknown,
  seqUnknown,
  ticketNotFound,
  tokenDeleted,
  tokenNotFound,
  type DomainErrorCode,
  type DomainErrorFacts,
} from './kernel/domain-error.js';
export { DEFAULT_LIMITS, Executor, type ExecutorLimits } from './commands/executor.js';
export { DEFAULT_POOL, ELASTIC_POOL, openPool } from './commands/first-start.js';
export { LineService } from './commands/line-service.js';
export { LineTimers } from './commands/line-timers.js';
export { LineReader } from './reading/line-reader.js';
export { Semaphore } from './feed/semaphore.js';
export { CHAIN_BEGINS, nextHash } from './audit/event-chain.js';
export { checkExport, compareExport, exportLines } from './audit/export.js';
export { FINDINGS_KEPT } from './audit/findings.js';
export { FeedReader, SCANNED, type EventFilter } from './feed/feed-reader.js';
export type { FeedSubscription } from './feed/feed-subscription.js';
export type { LeaseCount } from './pool/lease-counts.js';
export { fromIso, instantOf, toIso, type Instant } from './kernel/instant.js';
export { AuditSource } from './audit/audit-source.js';
export { EventPartitions } from './audit/event-partitions.js';
export { EventRetention, dropExpired } from './audit/event-retention.js';
export { InvariantViolation } from './kernel/invariant-violation.js';
export { CONDITIONS, type Condition, type LeaseClaim, type ReleaseRequest } from './pool/lease-claim.js';
export { MAX_HOLDER_CHARACTERS, NO_CONTROL_CHARACTERS, holderOf } from './pool/holder.js';
export { fenceOf } from './pool/lease-id.js';
export type { LineSlice } from './pool/pool-tickets.js';
export {
  freedByName,
  GIVEN_UP_ON_THE_WAY,
  headOfLine,
  lineSlice,
  needsLine,
  needsWholeLine,
  withLine,
  withPromises,
} from './commands/load-line.js';
export { LiveFeed } from './feed/live-feed.js';
export { MAX_METADATA_BYTES, whyNotMetadata } from './pool/metadata.js';
export { loadSpec, tokensOfSelection, type LoadSpec } from './commands/load-spec.js';
export type { ObservedCommand, Observer, TransactionReport } from './commands/observer.js';
export {
  fromWire,
  MAX_POOL_SIZE,
  MAX_TTL_SECONDS,
  policyFields,
  POOL_KINDS,
  type PolicyField,
  type PoolKind,
  type WirePolicy,
} from './pool/policy-fields.js';
export { POOL_NAME, countsLeases, keepsBack, type PolicyChange, type PoolPolicy } from './pool/pool-policy.js';
export { SharedUse } from './commands/shared-use.js';
export { sweep } from './commands/sweep.js';
export {
  DELETE_REASONS,
  END_REASONS,
  EVENT_KINDS,
  isEviction,
  LEAVE_REASONS,
  LINE_EVENTS,
  POOL_EVENTS,
  UPKEEP_EVENTS,
  DISABLE_REASONS,
  GRANT_REASONS,
  SOIL_REASONS,
  type EndReason,
  type LeaveReason,
  type GrantReason,
  type Metadata,
  type TokenEvent,
  type TokenEventKind,
} from './pool/token-event.js';
export { TICKET_STATUSES, type Ticket, type TicketEnd, type TicketStatus } from './pool/ticket.js';
export { POOL_LIVES, type PoolLife, type PoolSlice, type PoolState } from './pool/pool-slice.js';
export type { CleanRequest, ImportResult, PlaceRequest, Renewal, StatusAfter } from './pool/requests.js';
export { TokenPool } from './pool/token-pool.js';
export { TokenPoolRepository } from './commands/token-pool-repository.js';
export {
  TokenPoolService,
  type CommandContext,
  type OpenGrant,
  type PlainThing,
} from './commands/token-pool-service.js';
export { PointInTimeReader } from './reading/point-in-time-reader.js';
export { PoolReader } from './reading/pool-reader.js';
export {
  LEASES_EXAMINED,
  notValid,
  TokenReader,
  type LeaseEnd,
  type LeaseName,
  type LeaseQuery,
  type PageRequest,
  type TokenQuery,
  type Whereabouts,
  type Whose,
} from './reading/token-reader.js';
export { SecretBox, secretsKeysOf, type SecretValue } from './commands/secret-box.js';
export { PageSize } from './audit/stored-page.js';
export {
  isSelected,
  selectorKey,
  ATTRIBUTE_KEY,
  MAX_ATTRIBUTES,
  MAX_THING_BYTES,
  SealedSecret,
  whyNotAttributes,
  whyNotSelector,
  type Attributes,
  type AttributeTexts,
  type AttributeValue,
  type Selector,
  type Thing,
} from './pool/thing.js';
export {
  isFree,
  isOverdue,
  NO_UPKEEP,
  TOKEN_STATUSES,
  type Lease,
  type Token,
  type TokenStatus,
  type Upkeep,
} from './pool/token.js';
export {
  detailsFor,
  eventFor,
  leaseFor,
  maySee,
  maySeeActor,
  maySeeEvent,
  SOMEBODY,
  ticketFor,
  tokenFor,
  useFor,
  userFor,
  verificationFor,
  type Viewer,
} from './reading/visibility.js';
export type * from './reading/views.js';
