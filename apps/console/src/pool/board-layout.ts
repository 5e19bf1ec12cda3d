// The layout of the board: cells as large as their number permits, in rows that fill the width.

export interface BoardLayout {
  readonly count: number;
  readonly columns: number;
  readonly rows: number;
  /** Device pixels per CSS pixel. Cells align to device pixels; otherwise painting a cell leaves lines behind. */
  readonly ratio: number;
  /** The distance from one cell to the next, in CSS pixels. */
  readonly pitch: number;
  /** The size of a cell without the gap after it, in CSS pixels. */
  readonly size: number;
  readonly width: number;
  readonly height: number;
}

/** The height that the board aims at, in CSS pixels. It exceeds it only when its cells have the smallest size. */
const COMFORTABLE = 430;
const LEAST = 10;
const MOST = 92;

export function layoutOf(count: number, width: number, ratio = 1): BoardLayout {
  const ideal = Math.sqrt((width * COMFORTABLE) / Math.max(count, 1));
  const wanted = Math.min(Math.max(ideal, LEAST), MOST);
  const snapped = (pixels: number): number => Math.floor(pixels * ratio) / ratio;
  const pitch = Math.min(snapped(width / Math.max(Math.ceil(width / wanted), 1)), snapped(MOST));
  // Rounding the size down may make room for more columns.
  const columns = Math.max(Math.floor(width / pitch), 1);
  const rows = Math.ceil(count / columns);
  const gap = snapped(pitch >= 32 ? 6 : pitch >= 18 ? 3 : 2);
  return { count, columns, rows, ratio, pitch, size: pitch - gap, width, height: Math.max(rows * pitch, pitch) };
}

/** The index of the cell at a point of the board; -1 outside of all cells. */
export function cellAt({ columns, pitch, count }: BoardLayout, x: number, y: number): number {
  const column = Math.floor(x / pitch);
  const index = Math.floor(y / pitch) * columns + column;
  return column >= 0 && column < columns && y >= 0 && index < count ? index : -1;
}

export function placeOf({ columns, pitch }: BoardLayout, index: number): { readonly x: number; readonly y: number } {
  return { x: (index % columns) * pitch, y: Math.floor(index / columns) * pitch };
}

/** The index that a key moves the cursor to; the same index for any other key. */
export function stepFrom({ columns, count }: BoardLayout, index: number, key: string): number | null {
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: index - 1,
    ArrowRight: index + 1,
    ArrowUp: index - columns,
    ArrowDown: index + columns,
    PageUp: index - columns * 5,
    PageDown: index + columns * 5,
    Home: 0,
    End: count - 1,
  };
  const to = steps[key];
  if (to === undefined || count === 0) return null;
  if (key.startsWith('Page')) return Math.min(Math.max(to, 0), count - 1);
  return to >= 0 && to < count ? to : index;
}
