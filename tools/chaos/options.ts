// The command line.

import { parseArgs } from 'node:util';
import { seedOption, wholeOption } from '../harness/options.js';
import { MUTANTS } from './mutants/mutants.js';
import { ATTACKS } from './neighbours/attacks.js';
import type { Auth } from './history.js';
import { NEMESES } from './nemeses/all.js';
import { JANITORS, WAITERS } from './run.js';

/** The parts of a run, in this order. */
export type Part = 'check' | 'run' | 'mutants' | 'overload' | 'neighbours' | 'upgrade';

export interface Options {
  readonly parts: readonly Part[];
  /** The length of a run under faults, of each mutant's run, of each phase or round, and between two restarts. */
  readonly seconds: Readonly<Record<Exclude<Part, 'check'>, number>>;
  readonly seed: number;
  readonly nemeses: readonly string[];
  readonly attacks: readonly string[];
  readonly processes: number;
  readonly clients: number;
  readonly waiters: number;
  readonly janitors: number;
  readonly auth: Auth;
  /** The history file to check again. */
  readonly check: string;
  /** Names of mutants to run. */
  readonly mutants: readonly string[];
  /** Whether to store results and write the page. */
  readonly page: boolean;
}

const SECONDS = { run: 30, mutants: 4, overload: 10, neighbours: 4, upgrade: 3 };
const LONG_RUN = 600;

export const USAGE = `npm run chaos -- [options]
  --seconds N        length of the run (${SECONDS.run})
  --seed N           seed of the load and the faults (random, printed)
  --nemesis a,b      only these faults; none: no fault at all (all)
                     ${NEMESES.map(({ name }) => name).join(', ')}
  --processes N      processes of the API (3)
  --clients N        concurrent clients (24)
  --waiters N        callers that wait in line for one to three tokens (12)
  --janitors N       janitors that clean tokens between two users, and are killed (3)
  --auth A           keys or open: whether requests need a key (keys when the seed is odd)
  --check FILE       check the history of an earlier run
  --overload         5,000 connections, then ten times the rate it can serve, --seconds each (${SECONDS.overload})
  --neighbours       what is left of the service for one key beside the attacks of another, rounds of --seconds (${SECONDS.neighbours})
  --attack a,b       only these attacks (all)
                     ${ATTACKS.map(({ name }) => name).join(', ')}
  --mutants a,b      run broken services, --seconds each (${SECONDS.mutants}), and see whether each is caught; all: all of them
                     ${MUTANTS.map(({ name }) => name).join(', ')}
  --upgrade          a rolling restart from the last release to this version and back, --seconds between restarts (${SECONDS.upgrade})
  --all              a run of --seconds (${LONG_RUN}), all mutants, the overload and the neighbours: some 22 minutes
  --page             write docs/reliability.md with the new results; without other options, from the stored ones`;

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
      waiters: { type: 'string' },
      janitors: { type: 'string' },
      auth: { type: 'string' },
      check: { type: 'string' },
      mutants: { type: 'string' },
      overload: { type: 'boolean', default: false },
      neighbours: { type: 'boolean', default: false },
      attack: { type: 'string' },
      upgrade: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      page: { type: 'boolean', default: false },
    },
  });
  const { all, page, check = '' } = values;
  const seed = seedOption(values.seed);
  const mutants = some('mutants', values.mutants ?? (all ? 'all' : 'none'), MUTANTS);
  const wanted = [
    check && 'check',
    mutants.length > 0 && 'mutants',
    values.overload && 'overload',
    values.neighbours && 'neighbours',
    values.upgrade && 'upgrade',
  ] as const;
  const parts = all ? (['run', 'mutants', 'overload', 'neighbours'] as const) : wanted.filter((part) => !!part);
  const isPageOnly = page && args.length === 1;
  const seconds = (part: keyof typeof SECONDS, fallback = SECONDS[part]): number =>
    wholeOption('seconds', values.seconds, fallback, 1, 86_400);
  return {
    parts: parts.length > 0 || isPageOnly ? parts : ['run'],
    seconds: all
      ? { ...SECONDS, run: seconds('run', LONG_RUN) }
      : {
          run: seconds('run'),
          mutants: seconds('mutants'),
          overload: seconds('overload'),
          neighbours: seconds('neighbours'),
          upgrade: seconds('upgrade'),
        },
    seed,
    nemeses: some('nemesis', values.nemesis ?? 'all', NEMESES),
    attacks: some('attack', values.attack ?? 'all', ATTACKS),
    processes: wholeOption('processes', values.processes, 3, 1, 20),
    clients: wholeOption('clients', values.clients, 24, 1, 1000),
    waiters: wholeOption('waiters', values.waiters, WAITERS, 0, 500),
    janitors: wholeOption('janitors', values.janitors, JANITORS, 1, 100),
    auth: authOf(values.auth ?? (seed % 2 === 1 ? 'keys' : 'open')),
    check,
    mutants,
    page,
  };
}

function authOf(text: string): Auth {
  if (text === 'keys' || text === 'open') return text;
  throw new Error(`--auth is ${JSON.stringify(text)}; allowed are keys, open`);
}

/** @returns the names of a list, which may also be `all` or `none` */
function some(option: string, text: string, all: readonly { readonly name: string }[]): string[] {
  const names = all.map(({ name }) => name);
  if (text === 'all') return names;
  const wanted = text === 'none' ? [] : text.split(',');
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length === 0) return wanted;
  throw new Error(`--${option} has ${unknown.join(', ')}; allowed are all, none, ${names.join(', ')}`);
}
