// The auditor's own count of leases by user. A change and a query take time logarithmic in the number of leases.

import { FenceHeap } from './fence-heap.js';

interface UsersLease {
  readonly userId: string;
  readonly fence: number;
}

export class HeldByUser {
  /** The fences of each user, oldest first. */
  readonly #open = new Map<string, Set<number>>();
  /** At index n the users who reached n leases, each with the oldest of these; entries may be out of date. */
  readonly #byNumber: FenceHeap<UsersLease>[] = [];

  constructor(leases: Iterable<UsersLease>) {
    for (const lease of leases) this.granted(lease);
  }

  leasesOf(userId: string): number {
    return this.#open.get(userId)?.size ?? 0;
  }

  oldestOf(userId: string): number | undefined {
    for (const fence of this.#open.get(userId) ?? []) return fence;
    return undefined;
  }

  /** The highest number of leases that a user holds, and the smallest fence among the leases of all such users. */
  most(): { readonly leases: number; readonly fence: number } {
    for (let leases = this.#byNumber.length - 1; leases > 0; leases = this.#byNumber.length - 1) {
      const first = this.#byNumber[leases]?.first((entry) => this.#isTrue(entry, leases));
      if (first) return { leases, fence: first.fence };
      this.#byNumber.pop();
    }
    return { leases: 0, fence: 0 };
  }

  granted({ userId, fence }: UsersLease): void {
    const open = this.#open.get(userId);
    if (open) open.add(fence);
    else this.#open.set(userId, new Set([fence]));
    this.#note(userId);
  }

  ended({ userId, fence }: UsersLease): void {
    const open = this.#open.get(userId);
    open?.delete(fence);
    if (open?.size === 0) this.#open.delete(userId);
    else this.#note(userId);
  }

  #note(userId: string): void {
    const number = this.leasesOf(userId);
    const fence = this.oldestOf(userId);
    if (fence === undefined) return;
    while (this.#byNumber.length <= number) this.#byNumber.push(new FenceHeap());
    const heap = this.#byNumber[number] as FenceHeap<UsersLease>;
    // A user has at most one current entry, so a heap this large consists mostly of outdated ones.
    if (heap.size > 2 * this.#open.size + 64) heap.keep((entry) => this.#isTrue(entry, number));
    heap.push({ userId, fence });
  }

  #isTrue({ userId, fence }: UsersLease, number: number): boolean {
    return this.leasesOf(userId) === number && this.oldestOf(userId) === fence;
  }
}

/** As `HeldByUser.most`, but of those who have a lease that may be evicted. It takes time for each lease. */
export function mostOf<Lease extends UsersLease>(
  leases: Iterable<Lease>,
  mayBeEvicted: (lease: Lease) => boolean,
): ReturnType<HeldByUser['most']> {
  const users = new Map<string, { leases: number; fence: number }>();
  for (const lease of leases) {
    const { leases, fence } = users.get(lease.userId) ?? { leases: 0, fence: Infinity };
    users.set(lease.userId, { leases: leases + 1, fence: mayBeEvicted(lease) ? Math.min(fence, lease.fence) : fence });
  }
  let most = { leases: 0, fence: Infinity };
  for (const user of users.values()) {
    if (user.fence === Infinity || user.leases < most.leases) continue;
    if (user.leases > most.leases || user.fence < most.fence) most = user;
  }
  return most;
}
