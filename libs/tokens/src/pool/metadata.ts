// What a caller may keep with a lease: a small JSON object that PostgreSQL can store as it is.

export const MAX_METADATA_BYTES = 4096;

/** Why the value cannot be kept, or null when it can. */
export function whyNotMetadata(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be a JSON object';
  const json = asJson(value);
  if (json === null || Buffer.byteLength(json) > MAX_METADATA_BYTES) {
    return `must be at most ${MAX_METADATA_BYTES} bytes of JSON`;
  }
  if (Buffer.byteLength(json) + growthOf(json) > MAX_METADATA_BYTES) {
    return `must be at most ${MAX_METADATA_BYTES} bytes of JSON with its numbers written out (1e300 has 301 digits)`;
  }
  return isStorable(json) ? null : 'must not contain U+0000 or half of a surrogate pair';
}

/** Null for what nests so deep that it can be read, but not written: far beyond the limit. */
function asJson(value: object): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

/** The blanks that jsonb puts after commas and colons are not counted: with them it is longer by half at most. */
const STRING_OR_POWER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(\d)(?:\.(\d+))?e([+-]\d+)/g;

/** By how much JSON becomes longer where PostgreSQL stores it: jsonb writes every digit of a number out. */
function growthOf(json: string): number {
  if (!/\de/.test(json)) return 0;
  let growth = 0;
  for (const [literal, digit, fraction = '', power] of json.matchAll(STRING_OR_POWER)) {
    if (digit === undefined) continue;
    const exponent = Number(power);
    // 12e22 as 1.2e+23 and 24 digits; 1.2e-7 and 0.00000012.
    const writtenOut = exponent > 0 ? exponent + 1 : 2 - exponent + fraction.length;
    growth += writtenOut - (literal.length - (literal.startsWith('-') ? 1 : 0));
  }
  return growth;
}

/** PostgreSQL's text and jsonb refuse U+0000 and lone surrogates (JSON.stringify writes both as escapes). */
const isStorable = (json: string): boolean => !/(^|[^\\])(\\\\)*\\u(0000|d[89a-f])/i.test(json);
