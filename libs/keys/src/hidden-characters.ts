// Characters that are invisible, or that change the order of others on the screen. They would make two different names
// look the same to people.

/** Control and format characters, line and paragraph separators, private use, and lone surrogates. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;
/** Characters that leave a blank at most. */
const BLANK = /[\p{Default_Ignorable_Code_Point}\p{M}\u2800\s]/gu;

/** Whether a text has a visible character, and no hidden one. */
export const isSeen = (text: string): boolean => text.search(HIDDEN) < 0 && text.replaceAll(BLANK, '') !== '';

/** The text with hidden characters as escapes. A name may be older than the rule that refuses them. */
export const withHiddenShown = (text: string): string =>
  text.replaceAll(HIDDEN, (one) => `\\u{${(one.codePointAt(0) as number).toString(16)}}`);
