// The values of attributes on the command line, where nothing tells the number 14 from the text.

import type { AttributeValue, Selector } from '../../../libs/client/src/index.js';
import type { Arguments } from './arguments.js';

/** `--select country=de --select os=14,15 --select sim=`: equal, any of, absent. */
export function selectorOf(given: Arguments): Selector | undefined {
  const pairs = given.pairs('select');
  if (pairs.size === 0) return undefined;
  return Object.fromEntries(
    Array.from(pairs, ([key, text]) => [key, text === '' ? null : oneOrMore(text.split(',').flatMap(readingsOf))]),
  );
}

const oneOrMore = (values: AttributeValue[]): AttributeValue | AttributeValue[] =>
  values.length === 1 ? values[0]! : values;

/** What a text may stand for: itself, and the number or boolean that is written so. */
function readingsOf(text: string): AttributeValue[] {
  if (text === 'true' || text === 'false') return [text, text === 'true'];
  const number = Number(text);
  return Number.isFinite(number) && String(number) === text ? [text, number] : [text];
}

/** Attributes in one line for people, by key, because the database keeps no order. */
export const attributesText = (attributes: Readonly<Record<string, AttributeValue>>): string =>
  Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
