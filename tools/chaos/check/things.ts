// Checks the answers about things: a grant is of the thing that was asked for, an import did what it said, a change of
// the policy is in the audit, and no event contains a secret.

import type { OwnedEvent } from '@app/tokens';
import { secretOf, type GivenThing, type Operation, type PoolHistory } from '../history.js';
import { isOk } from '../load/recorder.js';
import { requestsOf } from './attempts.js';
import { append, askedBy } from './ledger.js';

export function checkThings({ setting, events, operations }: PoolHistory): string[] {
  if (setting.kind !== 'listed') return [];
  const requests = new Map(requestsOf(operations).map(({ operation }) => [operation.id, operation]));
  const things = new Map<string, GivenThing>();
  const held = new Map<string, string>();
  const grants = events.flatMap((event) => {
    const { event: kind, token_id, metadata } = event;
    const token = token_id ?? '';
    const thing = things.get(token);
    if (kind === 'generated') things.set(token, metadata as unknown as GivenThing);
    else if (kind === 'described' && thing) things.set(token, { ...thing, ...(metadata['after'] as object) });
    else if (kind === 'released' || kind === 'expired') held.delete(thing?.name ?? '');
    else if (kind === 'activated' && thing) {
      const isHeld = held.has(thing.name);
      held.set(thing.name, token);
      const wrong = [...(isHeld ? [`is of ${thing.name}, which is held`] : []), ...otherwise(event, thing, requests)];
      return wrong.map((what) => `the grant of fence ${event.fence} ${what}`);
    }
    return [];
  });
  return [...grants, ...imports(operations, events)];
}

/** How a grant differs from what was asked for and answered. */
function otherwise(
  event: OwnedEvent,
  { name, attributes }: GivenThing,
  requests: ReadonlyMap<string, Operation>,
): string[] {
  const operation = requests.get(askedBy(event));
  if (operation?.call.do !== 'allocate') return [];
  const { call, answer, key } = operation;
  const findings: string[] = [];
  if (call.name !== undefined && call.name !== name) findings.push(`is of ${name}, and ${call.name} was asked for`);
  for (const [field, value] of Object.entries(call.select ?? {})) {
    if (attributes[field] !== value) findings.push(`is of ${field} ${attributes[field]}, and ${value} was selected`);
  }
  if (!isOk(operation) || !answer) return findings;
  const said = answer['attributes'] as GivenThing['attributes'];
  const isSame = Object.entries(attributes).every(([field, value]) => said[field] === value);
  if (answer['name'] !== name || !isSame) findings.push(`was answered with another name, or with other attributes`);
  // A repeated request may have its answer when the lease is over.
  const secret = answer['secret'] as { pin?: unknown } | null;
  if (secret?.pin !== secretOf(name).pin && (secret !== null || key === undefined))
    findings.push(`was answered with another secret than that of ${name}`);
  return findings;
}

function imports(operations: readonly Operation[], events: readonly OwnedEvent[]): string[] {
  const by = eventsByRequest(events);
  return operations
    .filter((operation) => operation.call.do === 'import' && isOk(operation))
    .flatMap(({ id, answer = {} }) => {
      const done = by.get(id) ?? [];
      const counted = {
        added: done.filter(({ event }) => event === 'generated').length,
        deleted: done.filter(({ event }) => event === 'deleted').length,
      };
      return Object.entries(counted)
        .filter(([field, count]) => answer[field] !== count)
        .map(([field, count]) => `import ${id}: ${field} is ${String(answer[field])}, in the audit ${count}`);
    });
}

/** The changes of a policy that were answered and are not in the audit as they were asked for. */
export function policyChanges({ operations, events }: PoolHistory): string[] {
  const by = eventsByRequest(events);
  return operations.flatMap((operation) => {
    const { id, call } = operation;
    if (call.do !== 'policy' || !isOk(operation)) return [];
    const [event] = by.get(id) ?? [];
    const after = (event?.metadata['after'] ?? {}) as Readonly<Record<string, unknown>>;
    const isThere = Object.entries(call.change).every(([field, value]) => after[field] === value);
    return isThere ? [] : [`the change of the policy ${id} is not in the audit`];
  });
}

export const secretsInEvents = ({ events }: PoolHistory): string[] =>
  events
    .filter(({ metadata }) => JSON.stringify(metadata).includes(secretOf('').pin))
    .map(({ seq, event }) => `seq ${seq} (${event}) tells a secret`);

function eventsByRequest(events: readonly OwnedEvent[]): Map<string | null, OwnedEvent[]> {
  const by = new Map<string | null, OwnedEvent[]>();
  for (const event of events) append(by, event.request_id, event);
  return by;
}
