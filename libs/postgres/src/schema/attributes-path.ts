// The path (SQL/JSON) that finds the things of a pool by their attributes in the index of all things.

import type { AttributeTexts } from '@app/tokens';

/**
 * A text is found as itself, and as the number or the boolean of this spelling (isDescribedBy). The keys are those of
 * attributes, and a string of JSON is one of a path, too.
 */
export function pathOf(pool: string, texts: AttributeTexts): string {
  const ofTexts = Object.entries(texts).map(([key, text]) => {
    const values = isLiteral(text) ? [JSON.stringify(text), text] : [JSON.stringify(text)];
    return `(${values.map((value) => `$."${key}" == ${value}`).join(' || ')})`;
  });
  return [`$."@pool" == ${JSON.stringify(pool)}`, ...ofTexts].join(' && ');
}

const isLiteral = (text: string): boolean =>
  text === 'true' || text === 'false' || (Number.isFinite(Number(text)) && String(Number(text)) === text);
