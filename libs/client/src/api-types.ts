// The types of the API, under their names in openapi.json.

import type { components } from './openapi-types.js';

type Schemas = components['schemas'];

export type AllocateBody = Schemas['AllocateBody'];
export type ChangePoolBody = Schemas['ChangePoolBody'];
export type CleanBody = Schemas['CleanBody'];
export type CleaningGrant = Schemas['CleaningGrant'];
export type CreatePoolBody = Schemas['CreatePoolBody'];
export type Deletion = Schemas['Deletion'];
export type EndReason = Schemas['EndReason'];
export type ErrorCode = Schemas['ErrorCode'];
export type Grant = Schemas['Grant'];
export type ImportedThings = Schemas['Import'];
export type OpenLease = Schemas['Lease'];
export type OpenLeaseList = Schemas['LeaseList'];
export type Pool = Schemas['Pool'];
export type PoolDeletion = Schemas['PoolDeletion'];
export type PoolEventFeed = Schemas['PoolEventFeed'];
export type Problem = Schemas['Problem'];
export type Release = Schemas['Release'];
export type ReleasedCount = Schemas['ReleasedCount'];
export type ReleaseBody = Schemas['ReleaseBody'];
export type Renewal = Schemas['Renewal'];
export type Selector = NonNullable<Schemas['AllocateBody']['select']>;
export type Ticket = Schemas['Ticket'];
export type TicketCancellation = Schemas['TicketCancellation'];
export type TicketList = Schemas['TicketList'];
export type Token = Schemas['Token'];
export type TokenDetails = Schemas['TokenDetails'];
export type TokenEvent = Schemas['TokenEvent'];
export type TokenEventList = Schemas['TokenEventList'];
export type TokenHistory = Schemas['TokenHistory'];
export type TokenList = Schemas['TokenList'];
export type TokenUse = Schemas['TokenUse'];
export type Verification = Schemas['Verification'];
