// A list, page by page, up to as many as were asked for.

import type { Listing } from '../../../libs/client/src/index.js';

/** The most on a page. */
const PAGE = 1000;

/** How many to ask for at once when no more than `count` are wanted. */
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
