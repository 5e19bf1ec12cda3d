// Values of command line options.

/**
 * The whole number that an option of parseArgs gives, or the fallback without the option.
 * @throws Error that names the option, its text and the bounds
 */
export function wholeOption(
  name: string,
  text: string | undefined,
  fallback: number,
  least: number,
  most: number,
): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new Error(`--${name} is ${JSON.stringify(text)}; allowed is a whole number from ${least} to ${most}`);
}

/** The seed of a run: a random one without the option. @throws Error as `wholeOption` does */
export const seedOption = (text: string | undefined): number =>
  wholeOption('seed', text, Math.floor(Math.random() * 1e9), 0, 2 ** 32 - 1);
