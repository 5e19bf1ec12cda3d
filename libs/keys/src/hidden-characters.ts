// Characters that nobody sees, or that make others be read in another order: in a name that people go by they would let one
// pass for another.

/** Control and format characters, line and paragraph separators, private use, halves of surrogate pairs. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;
/** Letters and marks that take up room at most. */
const BLANK = /[\p{Default_Ignorable_Code_Point}\p{M}\u2800\s]/gu;

/** Whether a text is something to see, and nothing else. */
export const isSeen = (text: string): boolean => text.search(HIDDEN) < 0 && text.replaceAll(BLANK, '') !== '';

/** The text, fit to be shown to people: a name may be from before such characters were refused. */
export const withHiddenShown = (text: string): string =>
  text.replaceAll(HIDDEN, (one) => `\\u{${(one.codePointAt(0) as number).toString(16)}}`);
