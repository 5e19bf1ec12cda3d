// What the sections of the bench do with the service in this process.

import { DEFAULT_LIMITS, type ExecutorLimits } from '@app/tokens';
import type { Service } from '../harness/service.js';

export const USER = '7d2f7a54-5b1c-4d0e-9c3a-1f2e3d4c5b6a';

/** Limits that give each command a transaction of its own. */
export const BATCHES_OF_ONE: ExecutorLimits = { ...DEFAULT_LIMITS, batch: 1 };

/** Leases outlive the run, so that every allocation on a full pool evicts. */
export const LONG_SECONDS = 86_400;

export async function createFullPool({ service }: Service, name: string, size: number): Promise<void> {
  await service.createPool(name, 'fixed', { size, ttlSeconds: LONG_SECONDS, renewable: true });
  await Promise.all(Array.from({ length: size }, () => service.allocate(name, { userId: USER })));
}
