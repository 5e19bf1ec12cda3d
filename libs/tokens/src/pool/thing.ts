// The thing that a token of a listed pool stands for: its name, its attributes and its secret. And the selection of
// tokens by attributes.

import { canonical } from '../kernel/canonical-json.js';
import { MAX_METADATA_BYTES, whyNotMetadata } from './metadata.js';

export const ATTRIBUTE_KEY = /^[a-z][a-z0-9_]{0,39}$/;
export const MAX_ATTRIBUTES = 32;
/** The most bytes of attributes, and of a secret, as JSON. */
export const MAX_THING_BYTES = MAX_METADATA_BYTES;

export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/**
 * For each key the value that an attribute must have, or several values of which it must have one. Null stands for no
 * such attribute.
 */
export type Selector = Readonly<Record<string, AttributeValue | readonly AttributeValue[] | null>>;

/** Attributes that things are searched by, as texts. */
export type AttributeTexts = Readonly<Record<string, string>>;

/** A secret as it is stored: encrypted. It has no JSON form, so that no record, log or trace contains it. */
export class SealedSecret {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  toJSON(): undefined {
    return undefined;
  }
}

/** A secret that a caller gives. Its key and the token decide how it is encrypted. */
export interface GivenSecret {
  sealFor(tokenId: string): SealedSecret;
  /** Whether the sealed secret of a token is this one. */
  isIn(sealed: SealedSecret, tokenId: string): boolean;
}

export interface Thing {
  readonly name: string;
  readonly attributes: Attributes;
  readonly secret: SealedSecret | null;
}

/** What to change of a thing. A field that is left out or undefined stays; a secret that is null is removed. */
export interface ThingChange {
  readonly name?: string;
  readonly attributes?: Attributes;
  readonly secret?: GivenSecret | null;
}

/** A thing to put into a pool, or to change if there is one of that name. */
export type GivenThing = ThingChange & { readonly name: string };

/** What the audit tells of a token that is described. */
export interface Description {
  readonly name?: string;
  readonly attributes?: Attributes;
  /** Whether the token is deleted at the end of its lease. */
  readonly draining?: boolean;
}

/** The fields that a change has changed, before and after it. Of a secret only that it changed. */
export interface ThingDifference {
  readonly before: Description;
  readonly after: Description;
  readonly secret?: 'changed';
}

/** The rule that the value breaks; null when it is a valid object of attributes. */
export const whyNotAttributes = (value: unknown): string | null =>
  whyNotByKey(value, isValue, 'a text, a number, true or false');

/** The rule that the value breaks; null when it is a valid selector. */
export const whyNotSelector = (value: unknown): string | null =>
  whyNotByKey(
    value,
    (wanted) =>
      wanted === null || isValue(wanted) || (Array.isArray(wanted) && wanted.length > 0 && wanted.every(isValue)),
    'a text, a number, true, false, null, or a list of one or more of the first four',
  );

/** @param words what each value must be */
function whyNotByKey(value: unknown, isAllowed: (value: unknown) => boolean, words: string): string | null {
  const why = whyNotMetadata(value);
  if (why !== null) return why;
  const entries = Object.entries(value as object);
  if (entries.length > MAX_ATTRIBUTES) return `must have at most ${MAX_ATTRIBUTES} attributes`;
  for (const [key, of] of entries) {
    if (!ATTRIBUTE_KEY.test(key)) return `must have keys that match ${ATTRIBUTE_KEY.source}`;
    if (!isAllowed(of)) return `.${key} must be ${words}`;
  }
  return null;
}

const isValue = (value: unknown): value is AttributeValue => ['string', 'number', 'boolean'].includes(typeof value);

/** A thing after a change. A secret that is the same stays as it is sealed. */
export function changedThing(before: Thing, { name, attributes, secret }: ThingChange, tokenId: string): Thing {
  const isSame = secret === undefined || (secret && before.secret && secret.isIn(before.secret, tokenId));
  return {
    name: name ?? before.name,
    attributes: attributes ?? before.attributes,
    secret: isSame ? before.secret : secret && secret.sealFor(tokenId),
  };
}

/** Null when nothing differs. */
export function differenceOf(before: Thing, after: Thing): ThingDifference | null {
  const isRenamed = before.name !== after.name;
  const hasOtherAttributes = !areEqual(before.attributes, after.attributes);
  const hasOtherSecret = before.secret !== after.secret;
  if (!isRenamed && !hasOtherAttributes && !hasOtherSecret) return null;
  const changedOf = ({ name, attributes }: Thing): ThingDifference['before'] => ({
    ...(isRenamed && { name }),
    ...(hasOtherAttributes && { attributes }),
  });
  return { before: changedOf(before), after: changedOf(after), ...(hasOtherSecret && { secret: 'changed' }) };
}

const areEqual = (a: Attributes, b: Attributes): boolean => {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
};

const NOTHING: Attributes = {};

/** Whether a thing with these attributes may be selected. A token without a thing has no attributes. */
export function isSelected(attributes: Attributes = NOTHING, selector: Selector): boolean {
  for (const [key, wanted] of Object.entries(selector)) {
    const value = Object.hasOwn(attributes, key) ? attributes[key] : undefined;
    if (wanted === null ? value !== undefined : value === undefined || !isAmong(value, wanted)) return false;
  }
  return true;
}

/** The same text for selectors that select the same. */
export const selectorKey = (selector: Selector): string => canonical(selector);

/**
 * Whether these attributes have all of the given texts. A text stands for itself, and for the number or the boolean
 * that the service shows in this spelling.
 */
export const isDescribedBy = (attributes: Attributes, texts: AttributeTexts): boolean =>
  Object.entries(texts).every(([key, text]) => Object.hasOwn(attributes, key) && String(attributes[key]) === text);

const isAmong = (value: AttributeValue, wanted: AttributeValue | readonly AttributeValue[]): boolean =>
  Array.isArray(wanted) ? (wanted as readonly AttributeValue[]).includes(value) : value === wanted;
