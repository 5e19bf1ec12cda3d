// An option of a command, as the help shows it.

export interface Option {
  /** The placeholder of its value in the help; undefined if it takes no value. */
  readonly value?: string;
  readonly help: string;
  /** Whether it may be given several times. */
  readonly isRepeatable?: true;
}

/** Options by their names, without dashes. */
export type Options = Readonly<Record<string, Option>>;
