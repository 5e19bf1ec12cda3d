// Values that outlive the page, if the browser permits. It may refuse the storage itself, a read or a write; then the
// values live as long as the page.

type Area = 'localStorage' | 'sessionStorage';

/** @returns null when nothing is stored */
export function recall(area: Area, key: string): string | null {
  try {
    return globalThis[area].getItem(key);
  } catch {
    return null;
  }
}

/** @param value null deletes the stored value */
export function remember(area: Area, key: string, value: string | null): void {
  try {
    if (value === null) globalThis[area].removeItem(key);
    else globalThis[area].setItem(key, value);
  } catch {
    // The storage is blocked or full.
  }
}
