// The name of a holder: how people and programs name themselves, such as `ci-4711` or `desk-7@example.org`.

export const MAX_HOLDER_CHARACTERS = 200;

// eslint-disable-next-line no-control-regex -- it refuses them
export const NO_CONTROL_CHARACTERS = /^[^\x00-\x1f\x7f-\x9f]*$/;

/**
 * The one form of a name (NFC), so that a name that looks the same is the same holder; null when it breaks a rule: 1 to
 * 200 characters, no control characters, nothing that PostgreSQL cannot store.
 */
export function holderOf(text: string): string | null {
  if (!text.isWellFormed() || !NO_CONTROL_CHARACTERS.test(text)) return null;
  const name = text.normalize('NFC');
  const { length } = [...name];
  return length >= 1 && length <= MAX_HOLDER_CHARACTERS ? name : null;
}
