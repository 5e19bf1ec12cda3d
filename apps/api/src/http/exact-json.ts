// What JSON.parse would change without a word: a number that a double cannot hold as it was written, and a name that an
// object has twice, of which the first is lost. Node 20's parser does not show its source text, so the text is read again.

/** Strings, numbers and what gives objects their shape. Each alternative is linear, as the text is known to be valid JSON. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\]:,]/g;

/** A double keeps up to 15 digits, unless the exponent is very large; -0 is the exception. */
const IS_SAFE = /^(?!-[0.]+(?:[eE]|$))-?[\d.]{1,15}(?:[eE][+-]?\d{1,2})?$/;

/** What a number that is not safe may look like. A text within quotation marks may, too: then it is looked at closely. */
const MAY_CHANGE = /(?:^|[:,[\s])(?:-0|-?[\d.]+[eE]|-?[\d.]{16})/;

const MOST_SHOWN = 64;

interface Level {
  /** Those of an object so far; undefined in an array. */
  readonly names: Set<string> | undefined;
  /** Where it is read just now: a name, or a position in an array. */
  at: string | number;
}

/**
 * Most bodies are flat, with small numbers: they are let through at a glance.
 * @param json the text of `value`
 * @returns why the value is not what was written, and where; null when it is
 */
export function whyNotExact(json: string, value: unknown): string | null {
  const names = typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
  const mayRepeat = json.split(':').length - 1 > names;
  return mayRepeat || MAY_CHANGE.test(json) ? whatChanged(json) : null;
}

function whatChanged(json: string): string | null {
  const levels: Level[] = [];
  let text = '';
  for (const [token] of json.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{') levels.push({ names: new Set(), at: '' });
    else if (token === '[') levels.push({ names: undefined, at: 0 });
    else if (token === '}' || token === ']') levels.pop();
    else if (token === ',') {
      if (typeof level?.at === 'number') level.at++;
    } else if (token === ':') {
      // Escapes spell the same name in several ways.
      const name = text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1);
      level!.at = name;
      if (level!.names!.has(name))
        return `${placeOf(levels)} is there twice in one object: only one of them could be kept`;
      level!.names!.add(name);
    } else if (token.startsWith('"')) text = token;
    else if (!isExact(token)) {
      const shown = token.length > MOST_SHOWN ? `${token.slice(0, MOST_SHOWN)}…` : token;
      return `${placeOf(levels)} is the number ${shown}, which would be changed to ${JSON.stringify(Number(token))}: send it as a string`;
    }
  }
  return null;
}

/** Whether a number is the same after it was read and written. */
function isExact(literal: string): boolean {
  if (IS_SAFE.test(literal)) return true;
  const written = JSON.stringify(Number(literal));
  return written === literal || decimalOf(literal) === decimalOf(written);
}

/** The value of a number as text, the same for each way to write it: 1.0, 1e0 and 1. `null` is what JSON makes of infinity. */
function decimalOf(literal: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal) ?? [];
  if (whole === undefined) return literal;
  const digits = (whole + fraction).replace(/^0+/, '');
  // Not by a pattern: to look for the zeros at the end takes the square of their number.
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  if (end === 0) return `${sign}0`;
  return `${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/** `metadata.sizes[3]`; the end of it, where it is long. */
function placeOf(levels: readonly Level[]): string {
  const place = levels.map(({ at }) => (typeof at === 'number' ? `[${at}]` : `.${at}`)).join('');
  const shown = place.startsWith('.') ? place.slice(1) : place;
  return shown === '' ? 'the body' : shown.length > MOST_SHOWN ? `…${shown.slice(-MOST_SHOWN)}` : shown;
}
