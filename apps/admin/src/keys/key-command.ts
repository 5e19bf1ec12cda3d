// Parses and validates the command line before the program opens the database.

import { KEY_ID, MAX_OLD_SECRET_SECONDS, OLD_SECRET_SECONDS, SCOPES, type KeyRequest, type Scope } from '@app/keys';
import { readArguments, refuseExcess } from '../command.js';
import { UsageError } from '../usage-error.js';

export type KeyCommand =
  | { readonly name: 'help' }
  | { readonly name: 'create'; readonly request: KeyRequest }
  | { readonly name: 'list' }
  | { readonly name: 'rotate'; readonly id: string; readonly oldForSeconds: number }
  | { readonly name: 'revoke'; readonly id: string };

/** The options of each command, beside those that all share. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  create: ['name', 'scopes', 'pools', 'expires'],
  list: [],
  rotate: ['old-for'],
  revoke: [],
};

const SECONDS = { d: 86_400, h: 3600, m: 60 } as const;

/**
 * @param now milliseconds since the epoch
 * @throws UsageError that names the allowed values
 */
export function readCommand(args: readonly string[], now: number): { command: KeyCommand; isJson: boolean } {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = readArguments(args, {
    ...{ name: text, scopes: text, pools: text, expires: text, 'old-for': text, json: flag, help: flag },
  });
  const { json: isJson = false, help = false, ...given } = values;
  const [name, id, ...more] = positionals;
  if (help || name === 'help') return { command: { name: 'help' }, isJson };
  if (name === undefined) throw new UsageError('a command is missing: create, list, rotate or revoke');
  const options = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
  if (!options) throw new UsageError(`${JSON.stringify(name)} is not a command: create, list, rotate or revoke`);
  const foreign = Object.keys(given).find((option) => !options.includes(option));
  if (foreign !== undefined) throw new UsageError(`--${foreign} is not for ${name}`);
  const takesId = name === 'rotate' || name === 'revoke';
  refuseExcess(takesId ? more : positionals.slice(1));
  if (name === 'list') return { command: { name }, isJson };
  if (name === 'create') return { command: { name, request: requestOf(given, now) }, isJson };
  if (id === undefined || !KEY_ID.test(id)) {
    throw new UsageError('the id of a key must be given: 12 letters and digits, the second part of the key');
  }
  if (name === 'revoke') return { command: { name, id }, isJson };
  return { command: { name: 'rotate', id, oldForSeconds: secondsOf(given['old-for']) }, isJson };
}

function requestOf({ name, scopes, pools, expires }: Readonly<Record<string, string | undefined>>, now: number) {
  if (name === undefined) throw new UsageError('--name is missing');
  if (scopes === undefined) throw new UsageError(`--scopes is missing: some of ${SCOPES.join(',')}, or all`);
  const expires_at = expires === undefined ? null : endOf(expires, now);
  return { name, scopes: scopesOf(scopes), pools: pools === undefined ? null : pools.split(','), expires_at };
}

function scopesOf(text: string): readonly Scope[] {
  if (text === 'all') return SCOPES;
  return text.split(',').map((word) => {
    const scope = SCOPES.find((one) => one === word);
    if (scope === undefined) {
      throw new UsageError(`--scopes names ${JSON.stringify(word)}; allowed are ${SCOPES.join(',')}, or all`);
    }
    return scope;
  });
}

/** Reads an instant, or a duration from now. */
function endOf(text: string, now: number): string {
  const [, count, unit] = /^(\d{1,5})([dhm])$/.exec(text) ?? [];
  const at = unit ? now + Number(count) * SECONDS[unit as keyof typeof SECONDS] * 1000 : instantOf(text);
  if (Number.isFinite(at)) return new Date(at).toISOString();
  throw new UsageError(`--expires is ${JSON.stringify(text)}; allowed is 90d, 12h, 30m, or 2027-01-01T00:00:00Z`);
}

/** NaN for a date that does not exist: `Date.parse` takes 30 February for 2 March, and 24:00 for the next day. */
function instantOf(text: string): number {
  const [, date] = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const midnight = Date.parse(`${date}T00:00:00Z`);
  const doesExist = Number.isFinite(midnight) && new Date(midnight).toISOString().startsWith(`${date}T`);
  return doesExist ? Date.parse(text) : NaN;
}

function secondsOf(text = String(OLD_SECRET_SECONDS)): number {
  if (/^\d{1,7}$/.test(text) && Number(text) <= MAX_OLD_SECRET_SECONDS) return Number(text);
  throw new UsageError(
    `--old-for is ${JSON.stringify(text)}; allowed is a whole number from 0 to ${MAX_OLD_SECRET_SECONDS}`,
  );
}
