// What `run` puts into the environment of its command.

import type { Lease } from '../../../libs/client/src/index.js';
import { UsageError } from './usage-error.js';

/** The lease itself, which each command finds. */
const own = ({ token_id, lease_id, fence }: Lease): Record<string, string> => ({
  TOKEN_ID: token_id,
  LEASE_ID: lease_id,
  FENCE: String(fence),
});

/**
 * The environment of several leases: each variable as that of the first one, and with `_1`, `_2` and so on behind its
 * name. The environment of one lease has no numbers.
 * @throws UsageError if a token has no such value; the message repeats none
 */
export function environmentOf(leases: readonly Lease[], sources: readonly Source[]): Record<string, string> {
  const each = leases.map((lease): Record<string, string> => ({ ...own(lease), ...valuesOf(sources, lease) }));
  if (each.length === 1) return { ...each[0] };
  const numbered = each.flatMap((values, at) =>
    Object.entries(values).map(([name, value]) => [`${name}_${at + 1}`, value]),
  );
  return { ...each[0], ...(Object.fromEntries(numbered) as Record<string, string>) };
}

const OWN = /^(TOKEN_ID|LEASE_ID|FENCE)(_\d+)?$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SOURCE = /^(?:(name)|(attribute|secret)\.(.+))$/s;

/** Where the value of a variable comes from. */
export interface Source {
  readonly variable: string;
  /** As given: `secret.pin`. */
  readonly text: string;
  readonly valueIn: (lease: Lease) => unknown;
}

/** @throws UsageError */
export const sourcesOf = (pairs: ReadonlyMap<string, string>): readonly Source[] =>
  Array.from(pairs, ([variable, text]) => {
    if (!VARIABLE.test(variable)) throw new UsageError(`--env ${JSON.stringify(variable)} is no name of a variable`);
    if (OWN.test(variable)) throw new UsageError(`--env ${variable} is a variable that run sets itself`);
    const [, isName, of, key] = SOURCE.exec(text) ?? [];
    if (isName !== undefined) return { variable, text, valueIn: ({ name }: Lease) => name };
    if (of === undefined || key === undefined) {
      throw new UsageError(`--env ${variable}=${text}: allowed are name, attribute.KEY and secret.KEY`);
    }
    const valueIn = (lease: Lease): unknown => ownValue(of === 'secret' ? lease.secret : lease.attributes, key);
    return { variable, text, valueIn };
  });

function valuesOf(sources: readonly Source[], lease: Lease): Record<string, string> {
  return Object.fromEntries(
    sources.map(({ variable, text, valueIn }) => {
      const value = valueIn(lease);
      if (value === undefined || value === null) {
        const token = JSON.stringify(lease.name ?? lease.token_id);
        throw new UsageError(`${token} has no ${text}, which --env ${variable} asks for`);
      }
      const given = typeof value === 'string' ? value : JSON.stringify(value);
      if (given.includes('\0')) throw new UsageError(`${text} has a zero byte, so --env ${variable} cannot hold it`);
      return [variable, given];
    }),
  );
}

const ownValue = (object: Readonly<Record<string, unknown>> | null, key: string): unknown =>
  object !== null && Object.hasOwn(object, key) ? object[key] : undefined;
