// Metadata of a lease: a small JSON object that PostgreSQL can store without changing it.

export const MAX_METADATA_BYTES = 4096;

/** The rule that the value breaks; null when it is valid metadata. */
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

/** Null for a value so deeply nested that JSON.parse reads it but JSON.stringify fails: far beyond the limit. */
function asJson(value: object): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

/** The blanks that jsonb writes after commas and colons do not count; they make the text longer by half at most. */
const STRING_OR_POWER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(\d)(?:\.(\d+))?e([+-]\d+)/g;

/** By how many characters the JSON grows when PostgreSQL stores it: jsonb writes out every digit of a number. */
function growthOf(json: string): number {
  if (!/\de/.test(json)) return 0;
  let growth = 0;
  for (const [literal, digit, fraction = '', power] of json.matchAll(STRING_OR_POWER)) {
    if (digit === undefined) continue;
    const exponent = Number(power);
    // 1.2e+23 grows to 24 digits, and 1.2e-7 to 0.00000012.
    const writtenOut = exponent > 0 ? exponent + 1 : 2 - exponent + fraction.length;
    growth += writtenOut - (literal.length - (literal.startsWith('-') ? 1 : 0));
  }
  return growth;
}

/** PostgreSQL refuses U+0000 and lone surrogates in text and jsonb; JSON.stringify writes both as escapes. */
const isStorable = (json: string): boolean => !/(^|[^\\])(\\\\)*\\u(0000|d[89a-f])/i.test(json);
