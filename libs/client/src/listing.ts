// A list that the service gives page by page: all of it with `for await`, or one page at a time.

export class Listing<Item, Page, Cursor extends string | number> implements AsyncIterable<Item> {
  constructor(
    private readonly load: (cursor?: Cursor) => Promise<Page>,
    private readonly itemsOf: (page: Page) => readonly Item[],
    /** Where the next page begins; null on the last one. */
    private readonly next: (page: Page) => Cursor | null,
  ) {}

  /** One page as the service answers it: the first, or the one at `cursor`. */
  page(cursor?: Cursor): Promise<Page> {
    return this.load(cursor);
  }

  async *pages(): AsyncGenerator<Page, void, void> {
    for (let cursor: Cursor | null | undefined; cursor !== null;) {
      const page = await this.load(cursor);
      yield page;
      cursor = this.next(page);
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, void> {
    for await (const page of this.pages()) yield* this.itemsOf(page);
  }
}
