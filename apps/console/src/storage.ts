// What is remembered beyond the life of the page, where the browser lets it: it may refuse the storage itself, each
// reading, or each writing. Then the page remembers as long as it lives.

type Area = 'localStorage' | 'sessionStorage';

/** Null where nothing is remembered. */
export function recall(area: Area, key: string): string | null {
  try {
    return globalThis[area].getItem(key);
  } catch {
    return null;
  }
}

/** @param value null: forgets it */
export function remember(area: Area, key: string, value: string | null): void {
  try {
    if (value === null) globalThis[area].removeItem(key);
    else globalThis[area].setItem(key, value);
  } catch {
    // Blocked or full.
  }
}
