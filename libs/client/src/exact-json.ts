// JSON without silent changes. JSON.parse rounds numbers and keeps only one of two members with the same name;
// JSON.stringify writes null for a value that it cannot express, or leaves it out. Here each of these is an error.

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}:]/g;

/**
 * Parses JSON.
 * @throws SyntaxError if the text is no JSON; RangeError if the value would differ from the text
 */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const namesOfObjects: Set<string>[] = [];
  let lastString = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{') namesOfObjects.push(new Set());
    else if (token === '}') namesOfObjects.pop();
    else if (token.startsWith('"')) lastString = token;
    else if (token === ':') {
      const names = namesOfObjects.at(-1)!;
      // With escapes, one name has several spellings.
      const name = JSON.parse(lastString) as string;
      if (names.has(name)) throw new RangeError(`${lastString} is there twice in one object: only one could be kept`);
      names.add(name);
    } else if (decimalOf(token) !== decimalOf(JSON.stringify(Number(token)))) {
      throw new RangeError(`the number ${token} would be changed to ${Number(token)}: write it as a string`);
    }
  }
  return value;
}

/** A canonical form of a number: the same for 1.0, 1e0 and 1. */
function decimalOf(literal: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(literal) ?? [];
  // JSON writes null for infinity.
  if (whole === undefined) return literal;
  const digits = (whole + fraction).replace(/^0+/, '');
  // A pattern such as /0+$/ would take quadratic time for many zeros.
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  if (end === 0) return `${sign}0`;
  return `${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/**
 * Serialises the body of a request, without properties that are undefined.
 * @throws TypeError if JSON cannot express a value
 */
export function stringifyExactJson(body: unknown): string {
  return JSON.stringify(body, function (this: Record<string, unknown>, name: string, value: unknown) {
    // `toJSON` of an invalid date returns null.
    const given = value === null ? this[name] : value;
    if (value === undefined && !Array.isArray(this)) return undefined;
    if (isJson(given)) return value;
    throw new TypeError(`${JSON.stringify(name)} is ${inWords(given)}, which JSON cannot say`);
  });
}

function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value === 'object') return value === null || Array.isArray(value) || kindOf(value) === 'Object';
  return typeof value === 'string' || typeof value === 'boolean';
}

function inWords(value: unknown): string {
  if (typeof value === 'number') return `the number ${Object.is(value, -0) ? '-0' : value}`;
  return value === undefined ? 'undefined' : `a ${typeof value === 'object' ? kindOf(value) : typeof value}`;
}

/** The kind of an object, also of one from another window: `Map` for a map, which JSON.stringify writes as `{}`. */
const kindOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);
