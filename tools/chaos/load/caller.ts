// What a caller sends with its requests: its key, if any, and headers.

export interface Caller {
  /** The id of the API key; null without a key. */
  readonly key: string | null;
  readonly mayOperate: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

export const WITHOUT_KEY: Caller = { key: null, mayOperate: true, headers: {} };
