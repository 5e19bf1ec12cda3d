// The interface of a command, and the argument parser that all commands share.

import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './usage-error.js';

export interface Command {
  /** The line in the list of commands. */
  readonly summary: string;
  readonly help: string;
  /**
   * @returns the exit code
   * @throws UsageError when the arguments are wrong, another Error when the work failed
   */
  run(args: readonly string[]): Promise<number>;
}

/** @throws UsageError for an unknown option, or one without its value */
export function readArguments<const Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** @throws UsageError when there are arguments that the command has no use for */
export function refuseExcess([excess]: readonly string[]): void {
  if (excess !== undefined) throw new UsageError(`${JSON.stringify(excess)} is too much`);
}
