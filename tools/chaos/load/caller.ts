// With what somebody asks.

export interface Caller {
  /** The id of its API key; null: it shows none. */
  readonly key: string | null;
  readonly mayOperate: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

export const WITHOUT_KEY: Caller = { key: null, mayOperate: true, headers: {} };
