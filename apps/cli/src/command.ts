// The interface of a command: its help, and its implementation.

import type { PoolHandle, TokenPoolClient } from '../../../libs/client/src/index.js';
import type { Arguments } from './arguments.js';
import type { Options } from './option.js';
import type { Output } from './output.js';

export interface Command {
  readonly name: string;
  /** The operands, as the help shows them. */
  readonly operands?: string;
  readonly summary: string;
  readonly options?: Options;
  /** More text for the command's own help. */
  readonly notes?: string;
  /** Useful command lines, without the program's name. */
  readonly examples: readonly string[];
  /** The exit code of a failure, in place of the usual ones. */
  readonly failureCode?: number;
  /** Returns the exit code, or nothing for 0. */
  run(call: Call): Promise<number | void>;
}

export interface Call {
  readonly client: TokenPoolClient;
  /** The pool that the options name. */
  readonly pool: PoolHandle;
  readonly given: Arguments;
  readonly output: Output;
}
