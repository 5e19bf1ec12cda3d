// What an audit finds, in words. All are counted, and the first are kept: a broken pool of a million tokens has millions.

/** Findings of one audit that are kept: enough to see what is wrong. */
export const FINDINGS_KEPT = 1000;

export class Findings {
  /** The first, in the order in which they were found. */
  readonly kept: string[] = [];
  #count = 0;

  constructor(private readonly most = Infinity) {}

  /** Of all, kept or not. */
  get count(): number {
    return this.#count;
  }

  add(what: string): void {
    this.#count++;
    if (this.kept.length < this.most) this.kept.push(what);
  }

  addAll({ kept, count }: Findings): void {
    kept.forEach((what) => this.add(what));
    this.#count += count - kept.length;
  }
}
