// What a caller may keep with a lease: a small JSON object that PostgreSQL can store as it is.

export const MAX_METADATA_BYTES = 4096;

/** Why the value cannot be kept, or null when it can. */
export function whyNotMetadata(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be a JSON object';
  const json = asJson(value);
  if (json === null || Buffer.byteLength(json) > MAX_METADATA_BYTES) {
    return `must be at most ${MAX_METADATA_BYTES} bytes of JSON`;
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

/** PostgreSQL's text and jsonb refuse U+0000 and lone surrogates (JSON.stringify writes both as escapes). */
const isStorable = (json: string): boolean => !/(^|[^\\])(\\\\)*\\u(0000|d[89a-f])/i.test(json);
