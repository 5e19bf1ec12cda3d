// The two pools that every installation has, made at the first start and kept by every later one.

import { DomainError } from '../kernel/domain-error.js';
import type { PoolKind } from '../pool/policy-fields.js';
import type { PolicyChange } from '../pool/pool-policy.js';
import type { TokenPoolService } from './token-pool-service.js';
import type { PoolReader } from '../reading/pool-reader.js';

export const DEFAULT_POOL = 'default';
export const ELASTIC_POOL = 'elastic';

export interface FirstPool {
  readonly name: string;
  readonly kind: PoolKind;
  readonly policy: PolicyChange;
  /** The size that an existing fixed pool must reach; undefined: whatever it has is right. */
  readonly growTo?: number;
}

/**
 * Any number of processes may do this at once: the first makes a pool, the others find it.
 * @throws DomainError `invalid_request` when a pool is larger than it should be: pools never shrink
 */
export async function openPool(service: TokenPoolService, pools: PoolReader, first: FirstPool): Promise<void> {
  try {
    await service.createPool(first.name, first.kind, first.policy);
    return;
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'pool_exists') throw error;
  }
  const { size } = await pools.pool(first.name);
  if (first.growTo !== undefined && first.growTo !== size) await service.changePool(first.name, { size: first.growTo });
  else await service.fill(first.name);
}
