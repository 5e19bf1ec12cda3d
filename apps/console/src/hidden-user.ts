// How an answer hides a user from this key.

/** The placeholder for a hidden user, in fields that cannot be null. */
const HIDDEN_USER = '00000000-0000-0000-0000-000000000000';

/** The user's id; null for a hidden user, whether the answer has null or the placeholder. */
export const shownUser = (id: string | null): string | null => (id === HIDDEN_USER ? null : id);
