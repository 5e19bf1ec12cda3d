// How long to wait, as a number of seconds or as people write it.

const UNITS = { s: 1, m: 60, h: 3600 } as const;

/**
 * `90`, `'90'`, `'90s'`, `'1.5m'` and `'2h'` as seconds.
 * @throws RangeError for anything else
 */
export function secondsOf(wait: number | string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)([smh])?$/.exec(String(wait)) ?? [];
  if (amount === undefined) {
    throw new RangeError(
      `${JSON.stringify(wait)} is no time to wait: allowed are seconds, or such as '90s', '10m', '2h'`,
    );
  }
  return Number(amount) * UNITS[unit as keyof typeof UNITS];
}
