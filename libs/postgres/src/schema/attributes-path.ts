// Paths (SQL/JSON) over the attributes of a thing. The keys are those of attributes, and a literal of JSON is one of a
// path, too. https://www.postgresql.org/docs/15/functions-json.html

import type { AttributeTexts } from '@app/tokens';

/** True if an attribute is one of some literals. */
export const isOneOf = (key: string, literals: readonly string[]): string =>
  `(${literals.map((literal) => `$."${key}" == ${literal}`).join(' || ')})`;

export const isMissing = (key: string): string => `!exists($."${key}")`;

/**
 * Finds the things of a pool in the index of all things. A text is found as itself, and as the number or the boolean of
 * this spelling (isDescribedBy).
 */
export function pathOf(pool: string, texts: AttributeTexts): string {
  const ofTexts = Object.entries(texts).map(([key, text]) => {
    return isOneOf(key, isLiteral(text) ? [JSON.stringify(text), text] : [JSON.stringify(text)]);
  });
  return [`$."@pool" == ${JSON.stringify(pool)}`, ...ofTexts].join(' && ');
}

const isLiteral = (text: string): boolean =>
  text === 'true' || text === 'false' || (Number.isFinite(Number(text)) && String(Number(text)) === text);
