import { cellAt, layoutOf, placeOf, stepFrom } from './board-layout.js';

test.each([
  [1, 800],
  [10, 800],
  [100, 760],
  [100, 320],
  [2_500, 1_100],
  [10_000, 1_100],
  [10_000, 320],
  [20_000, 1_600],
])('%d tokens fit into %d pixels, each cell large enough to be hit', (count, width) => {
  const { columns, rows, pitch, size } = layoutOf(count, width);
  expect(columns * pitch).toBeLessThanOrEqual(width);
  expect(columns * rows).toBeGreaterThanOrEqual(count);
  expect(columns * (rows - 1)).toBeLessThan(count);
  expect(size).toBeGreaterThanOrEqual(7);
});

test.each([
  [10_000, 1_097, 1],
  [10_000, 1_097, 1.25],
  [10_000, 801, 1.5],
  [100, 760, 1.1],
  [2_500, 333, 2],
])('%d cells in %d pixels at a ratio of %d begin and end with a device pixel', (count, width, ratio) => {
  const layout = layoutOf(count, width, ratio);
  const offGrid = (pixels: number): number => Math.abs(pixels * ratio - Math.round(pixels * ratio));
  expect(offGrid(layout.size)).toBeLessThan(1e-6);
  for (let index = 0; index < count; index += 37) {
    const { x, y } = placeOf(layout, index);
    expect(offGrid(x)).toBeLessThan(1e-6);
    expect(offGrid(y)).toBeLessThan(1e-6);
  }
});

test('a hundred cells are large enough for text', () => {
  expect(layoutOf(100, 760).size).toBeGreaterThanOrEqual(44);
});

test('the cell at a point is the one that is drawn there', () => {
  const layout = layoutOf(95, 700);
  for (let index = 0; index < 95; index++) {
    const { x, y } = placeOf(layout, index);
    expect(cellAt(layout, x, y)).toBe(index);
    expect(cellAt(layout, x + layout.pitch - 0.1, y + layout.pitch - 0.1)).toBe(index);
  }
});

test('a point outside of the cells has none', () => {
  const layout = layoutOf(10, 700);
  expect(cellAt(layout, -1, 5)).toBe(-1);
  expect(cellAt(layout, 5, -1)).toBe(-1);
  expect(cellAt(layout, layout.columns * layout.pitch + 1, 5)).toBe(-1);
  expect(cellAt(layout, 5, layout.height + 1)).toBe(-1);
  expect(cellAt(layoutOf(0, 700), 5, 5)).toBe(-1);
});

test('keys move to neighbours and stay on the board', () => {
  const layout = layoutOf(100, 760);
  const { columns } = layout;
  expect(stepFrom(layout, 5, 'ArrowRight')).toBe(6);
  expect(stepFrom(layout, 5, 'ArrowDown')).toBe(5 + columns);
  expect(stepFrom(layout, 5, 'ArrowUp')).toBe(5);
  expect(stepFrom(layout, 0, 'ArrowLeft')).toBe(0);
  expect(stepFrom(layout, 99, 'ArrowRight')).toBe(99);
  expect(stepFrom(layout, 50, 'Home')).toBe(0);
  expect(stepFrom(layout, 50, 'End')).toBe(99);
  expect(stepFrom(layout, 98, 'PageDown')).toBe(99);
  expect(stepFrom(layout, 50, 'a')).toBeNull();
});
