// A heap of leases with the smallest fence first.

export class FenceHeap<Entry extends { readonly fence: number }> {
  #entries: Entry[] = [];

  get size(): number {
    return this.#entries.length;
  }

  push(entry: Entry): void {
    const entries = this.#entries;
    let place = entries.push(entry) - 1;
    for (let above = (place - 1) >> 1; place > 0 && entries[above]!.fence > entry.fence; above = (place - 1) >> 1) {
      entries[place] = entries[above]!;
      entries[(place = above)] = entry;
    }
  }

  /** The first entry that passes the test. Removes those before it. */
  first(isTrue: (entry: Entry) => boolean): Entry | undefined {
    while (this.#entries[0] && !isTrue(this.#entries[0])) this.#pop();
    return this.#entries[0];
  }

  keep(isTrue: (entry: Entry) => boolean): void {
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
