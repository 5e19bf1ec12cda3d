// Prints a list page by page, up to the requested number of items.

import type { Listing } from '../../../libs/client/src/index.js';

/** The most items on a page. */
const PAGE = 1000;

/** The size of a page for a list of at most `count` items. */
export const pageFor = (count: number | undefined): number => Math.min(count ?? PAGE, PAGE);

export async function listed<Item, Page, Cursor extends string | number>(
  list: Listing<Item, Page, Cursor>,
  itemsOf: (page: Page) => readonly Item[],
  print: (items: readonly Item[]) => Promise<void>,
  count = Infinity,
): Promise<void> {
  let left = count;
  for await (const page of list.pages()) {
    const items = itemsOf(page).slice(0, left);
    await print(items);
    left -= items.length;
    if (left <= 0) return;
  }
}
