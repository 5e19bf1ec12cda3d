// The auditor's own count of leases by user. A change and a query take time logarithmic in the number of leases.

interface UsersLease {
  readonly userId: string;
  readonly fence: number;
}

export class HeldByUser {
  /** The fences of each user, oldest first. */
  readonly #open = new Map<string, Set<number>>();
  /** At index n the users who reached n leases, each with the oldest of these; entries may be out of date. */
  readonly #byNumber: Heap[] = [];

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
    while (this.#byNumber.length <= number) this.#byNumber.push(new Heap());
    const heap = this.#byNumber[number] as Heap;
    // A user has at most one current entry, so a heap this large consists mostly of outdated ones.
    if (heap.size > 2 * this.#open.size + 64) heap.keep((entry) => this.#isTrue(entry, number));
    heap.push({ userId, fence });
  }

  #isTrue({ userId, fence }: UsersLease, number: number): boolean {
    return this.leasesOf(userId) === number && this.oldestOf(userId) === fence;
  }
}

/** A heap with the smallest fence first. */
class Heap {
  #entries: UsersLease[] = [];

  get size(): number {
    return this.#entries.length;
  }

  push(entry: UsersLease): void {
    const entries = this.#entries;
    let place = entries.push(entry) - 1;
    for (let above = (place - 1) >> 1; place > 0 && entries[above]!.fence > entry.fence; above = (place - 1) >> 1) {
      entries[place] = entries[above]!;
      entries[(place = above)] = entry;
    }
  }

  /** The first entry that passes the test. Removes those before it. */
  first(isTrue: (entry: UsersLease) => boolean): UsersLease | undefined {
    while (this.#entries[0] && !isTrue(this.#entries[0])) this.#pop();
    return this.#entries[0];
  }

  keep(isTrue: (entry: UsersLease) => boolean): void {
    // A sorted array is a valid heap.
    this.#entries = this.#entries.filter(isTrue).sort((a, b) => a.fence - b.fence);
  }

  #pop(): void {
    const entries = this.#entries;
    const last = entries.pop()!;
    if (entries.length === 0) return;
    let place = 0;
    for (let below = 1; below < entries.length; below = 2 * place + 1) {
      if (entries[below + 1] && entries[below + 1]!.fence < entries[below]!.fence) below++;
      if (entries[below]!.fence >= last.fence) break;
      entries[place] = entries[below]!;
      place = below;
    }
    entries[place] = last;
  }
}
