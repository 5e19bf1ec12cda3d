// What a command is: what it says of itself, and what it does.

import type { PoolHandle, TokenPoolClient } from '../../../libs/client/src/index.js';
import type { Arguments } from './arguments.js';
import type { Options } from './option.js';
import type { Output } from './output.js';

export interface Command {
  readonly name: string;
  /** What it needs beside options, as the help shows it. */
  readonly operands?: string;
  readonly summary: string;
  readonly options?: Options;
  /** What there is to know beyond that. */
  readonly notes?: string;
  /** Command lines, without the program, that do something sensible. */
  readonly examples: readonly string[];
  /** What it ends with when it fails, in place of what others end with. */
  readonly failureCode?: number;
  /** Answers the exit code, if that is not 0. */
  run(call: Call): Promise<number | void>;
}

export interface Call {
  readonly client: TokenPoolClient;
  /** The pool that is meant. */
  readonly pool: PoolHandle;
  readonly given: Arguments;
  readonly output: Output;
}
