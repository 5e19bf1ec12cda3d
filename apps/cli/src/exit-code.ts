// The exit codes. `run` uses those of timeout(1) and env(1), which differ from the usual codes of commands.

import { constants } from 'node:os';

export const EXIT = {
  done: 0,
  /** The service refused. */
  refused: 1,
  /** The command line is wrong, and the program sent no request. */
  usage: 2,
  /** There was no response in time; whether the request had its effect is unknown. */
  noAnswer: 3,
  /** The wait in line ended without a token. */
  waitEnded: 4,
  /** `run`: the lease was lost. */
  lost: 124,
  /** `run`: there was no lease, so the command did not start. */
  noLease: 125,
  /** `run`: the command cannot be started. */
  notStarted: 126,
  /** `run`: the command does not exist. */
  notFound: 127,
} as const;

/** The exit code that shells use for a program that a signal has ended. */
export const exitCodeOf = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];
