// Finds what JSON.parse would silently change: a number that a double cannot hold as written, and a name that an object
// has twice, of which the first is lost. Node 20's parser does not show its source text, so this reads the text again.

/** Strings, numbers and punctuation. The text is valid JSON, so that each alternative takes linear time. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\]:,]/g;

/** A double keeps up to 15 digits unless the exponent is very large. JSON.stringify writes -0 as 0. */
const IS_SAFE = /^(?!-[0.]+(?:[eE]|$))-?[\d.]{1,15}(?:[eE][+-]?\d{1,2})?$/;

/** Finds anything that may be an unsafe number. A string may match as well; the full check then decides. */
const MAY_CHANGE = /(?:^|[:,[\s])(?:-0|-?[\d.]+[eE]|-?[\d.]{16})/;

const MOST_SHOWN = 64;

interface Level {
  /** The names of an object so far; undefined in an array. */
  readonly names: Set<string> | undefined;
  /** The current name, or the position in an array. */
  at: string | number;
}

/**
 * Compares a parsed value with its text. Most bodies are flat with small numbers; for them a quick look is enough.
 * @param json the text of `value`
 * @returns where and why the value differs from the text; null when it does not
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
      if (levels.some(({ at }) => at === 'secret')) {
        return `${placeOf(levels)} is a number that would be changed: send it as a string`;
      }
      const shown = token.length > MOST_SHOWN ? `${token.slice(0, MOST_SHOWN)}…` : token;
      return `${placeOf(levels)} is the number ${shown}, which would be changed to ${JSON.stringify(Number(token))}: send it as a string`;
    }
  }
  return null;
}

/** Whether a number stays the same when it is parsed and written again. */
function isExact(literal: string): boolean {
  if (IS_SAFE.test(literal)) return true;
  const written = JSON.stringify(Number(literal));
  return written === literal || decimalOf(literal) === decimalOf(written);
}

/** @returns one text for all spellings of a number, such as 1.0, 1e0 and 1; `null`, JSON's infinity, stays `null` */
function decimalOf(literal: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal) ?? [];
  if (whole === undefined) return literal;
  const digits = (whole + fraction).replace(/^0+/, '');
  // A pattern such as /0+$/ would take quadratic time for many zeros.
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  if (end === 0) return `${sign}0`;
  return `${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/** A path such as `metadata.sizes[3]`; only its end when it is long. */
function placeOf(levels: readonly Level[]): string {
  const place = levels.map(({ at }) => (typeof at === 'number' ? `[${at}]` : `.${at}`)).join('');
  const shown = place.startsWith('.') ? place.slice(1) : place;
  return shown === '' ? 'the body' : shown.length > MOST_SHOWN ? `…${shown.slice(-MOST_SHOWN)}` : shown;
}
