/** Counts what is open: in all, and by API key. What comes without a key counts in all only. */
export class CountsByKey {
  all = 0;
  readonly #byKey = new Map<string, number>();

  of(keyId: string | null | undefined): number {
    return keyId == null ? 0 : (this.#byKey.get(keyId) ?? 0);
  }

  add(keyId: string | null | undefined, more: 1 | -1): void {
    this.all += more;
    if (keyId == null) return;
    const left = this.of(keyId) + more;
    if (left === 0) this.#byKey.delete(keyId);
    else this.#byKey.set(keyId, left);
  }
}
