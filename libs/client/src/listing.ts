// A list that the service returns in pages. `for await` reads all of it; `page` reads one page.

export class Listing<Item, Page, Cursor extends string | number> implements AsyncIterable<Item> {
  constructor(
    private readonly load: (cursor?: Cursor) => Promise<Page>,
    private readonly itemsOf: (page: Page) => readonly Item[],
    /** The cursor of the next page; null on the last page. */
    private readonly next: (page: Page) => Cursor | null,
  ) {}

  /** One page as the service returns it: the first, or the one at `cursor`. */
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
