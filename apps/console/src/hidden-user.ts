// How an answer says that a user is not shown to this key.

/** Stands for a user who is not shown, where there must be one. */
const HIDDEN_USER = '00000000-0000-0000-0000-000000000000';

/** Null for a user who is not shown to this key, however an answer says that. */
export const shownUser = (id: string | null): string | null => (id === HIDDEN_USER ? null : id);
