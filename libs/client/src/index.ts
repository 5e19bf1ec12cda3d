// The public interface of the package.

export type * from './api-types.js';
export type { CallOptions, RepeatableOptions } from './call-options.js';
export type { ClientOptions } from './calls.js';
export type { AllocateRequest, LeaseRef, ReleaseRequest } from './lease-calls.js';
export type { LeaseRequest } from './lease-request.js';
export type { Lease } from './lease-keeper.js';
export { EventStreamParser, type StreamMessage } from './event-stream-parser.js';
export { parseExactJson } from './exact-json.js';
export type { WaitOptions } from './line.js';
export { LeaseLostError, type LossReason } from './lease-lost-error.js';
export type { Listing } from './listing.js';
export type {
  DeleteRequest,
  DisableRequest,
  FeedRequest,
  ImportRequest,
  PageRequest,
  PoolHandle,
  TokensRequest,
} from './pool-handle.js';
export {
  inRequests,
  parseThings,
  type AttributeValue,
  type FileProblem,
  type GivenThing,
  type ThingsFile,
  type ThingsFileOptions,
} from './things-file.js';
export { isTicket, type LeaveRequest, type PlaceRequest } from './ticket-calls.js';
export { TokenPoolClient, type Whose } from './token-pool-client.js';
export { TokenPoolConnectionError } from './token-pool-connection-error.js';
export { TokenPoolError } from './token-pool-error.js';
export { WaitEndedError } from './wait-ended-error.js';
export { secondsOf } from './wait-seconds.js';
export type { WatchOptions, WatchRequest } from './watch.js';
export type { LeasedWork, LeaseOptions, LeasesOptions, LeasesWork } from './with-lease.js';
