// The two pools that the first start of every installation creates and later starts keep.

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
  /** The size that an existing fixed pool must reach; undefined when its present size is right. */
  readonly growTo?: number;
}

/**
 * Creates a pool unless it exists. A pool that was deleted stays deleted. Any number of processes may do this at once:
 * one creates the pool, the others find it.
 * @throws DomainError `invalid_request` when the pool is larger than the size asks for
 */
export async function openPool(service: TokenPoolService, pools: PoolReader, first: FirstPool): Promise<void> {
  try {
    await service.createFirstPool(first.name, first.kind, first.policy);
    return;
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'pool_exists') throw error;
  }
  const [existing] = await pools.pools(new Set([first.name]));
  if (!existing) return;
  const { size } = existing;
  if (first.growTo !== undefined && first.growTo < size) {
    const detail = `size must not be smaller than the pool's present size of ${size}: a start only makes a pool larger`;
    throw new DomainError('invalid_request', detail);
  }
  if (first.growTo !== undefined && first.growTo > size) await service.changePool(first.name, { size: first.growTo });
  else await service.fill(first.name);
}
