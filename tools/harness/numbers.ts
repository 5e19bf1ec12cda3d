// Statistics of measured values.

export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** @returns the value below which the share `q` of the values lies; NaN without values */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

export const median = (values: ArrayLike<number>): number => quantile(values, 0.5);

/** @returns by how much y rises when x rises by one, by least squares */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const mean = (of: 'x' | 'y') => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x0, y0] = [mean('x'), mean('y')];
  const covariance = points.reduce((sum, { x, y }) => sum + (x - x0) * (y - y0), 0);
  const variance = points.reduce((sum, { x }) => sum + (x - x0) ** 2, 0);
  return covariance / variance;
}
