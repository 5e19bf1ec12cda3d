// What the program ends with. Those of `run` are those of timeout(1) and env(1), out of the way of the command's own.

import { constants } from 'node:os';

export const EXIT = {
  done: 0,
  /** The service said no. */
  refused: 1,
  /** Nothing was asked: the command line is wrong. */
  usage: 2,
  /** There was no answer in time: whether it was done is unknown. */
  noAnswer: 3,
  /** `run`: the lease was lost. */
  lost: 124,
  /** `run`: there was no lease, and so the command was not started. */
  noLease: 125,
  /** `run`: the command cannot be started. */
  notStarted: 126,
  /** `run`: there is no such command. */
  notFound: 127,
} as const;

/** Of a program that a signal ended, as shells have it. */
export const exitCodeOf = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];
