// An option of a command, as the help shows it.

export interface Option {
  /** What stands for its value in the help; none: it has no value. */
  readonly value?: string;
  readonly help: string;
}

/** By their names, without the dashes. */
export type Options = Readonly<Record<string, Option>>;
