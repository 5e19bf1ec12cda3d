// The command line.

import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants/mutants.js';
import { NEMESES } from './nemeses/all.js';

export interface Options {
  readonly seconds: number;
  readonly seed: number;
  readonly nemeses: readonly string[];
  readonly processes: number;
  readonly clients: number;
  /** A history to be checked again; nothing is run. */
  readonly check: string | undefined;
  /** Only the overload, for this many seconds a phase. */
  readonly overload: boolean;
  /** Names of mutants to run. */
  readonly mutants: readonly string[];
  /** Results are kept, and the page is made anew. */
  readonly page: boolean;
  /** Nothing is run for it. */
  readonly isPageOnly: boolean;
}

export const USAGE = `npm run chaos -- [options]
  --seconds N        length of the run (30)
  --seed N           of the load and the faults (random, printed)
  --nemesis a,b      only these faults; none: no fault at all (all)
                     ${NEMESES.map(({ name }) => name).join(', ')}
  --processes N      of the API (3)
  --clients N        (24)
  --check FILE       check the history of an earlier run
  --overload         5,000 connections, then ten times the rate it can serve, --seconds each (10)
  --mutants a,b      run broken services, --seconds each (4), and see whether each is caught; all: all of them
                     ${MUTANTS.map(({ name }) => name).join(', ')}
  --page             write docs/reliability.md, with the results of this run, check, overload or mutants; alone: anew of
                     the results that are there`;

/** @throws Error with one line that says what is allowed */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string' },
      seed: { type: 'string' },
      nemesis: { type: 'string' },
      processes: { type: 'string' },
      clients: { type: 'string' },
      check: { type: 'string' },
      mutants: { type: 'string' },
      overload: { type: 'boolean' },
      page: { type: 'boolean' },
    },
  });
  const { page = false } = values;
  return {
    seconds: whole('seconds', values.seconds, values.mutants ? 4 : values.overload ? 10 : 30, 1, 86_400),
    seed: whole('seed', values.seed, Math.floor(Math.random() * 1e9), 0, 2 ** 32 - 1),
    nemeses: some('nemesis', values.nemesis ?? 'all', NEMESES),
    processes: whole('processes', values.processes, 3, 1, 20),
    clients: whole('clients', values.clients, 24, 1, 1000),
    check: values.check,
    overload: values.overload ?? false,
    mutants: some('mutants', values.mutants ?? 'none', MUTANTS),
    page,
    isPageOnly: page && Object.keys(values).length === 1,
  };
}

/** Names from a list; `all` and `none` are names, too. */
function some(option: string, text: string, all: readonly { readonly name: string }[]): string[] {
  const names = all.map(({ name }) => name);
  if (text === 'all') return names;
  const wanted = text === 'none' ? [] : text.split(',');
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length === 0) return wanted;
  throw new Error(`--${option} has ${unknown.join(', ')}; allowed are all, none, ${names.join(', ')}`);
}

function whole(name: string, text: string | undefined, fallback: number, least: number, most: number): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new Error(`--${name} is ${JSON.stringify(text)}; allowed is a whole number from ${least} to ${most}`);
}
