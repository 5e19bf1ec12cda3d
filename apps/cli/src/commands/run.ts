// The command `run`, which runs another command under a lease.

import { LeaseLostError, type Lease } from '../../../../libs/client/src/index.js';
import type { Command } from '../command.js';
import { environmentOf, sourcesOf } from '../environment.js';
import { EXIT } from '../exit-code.js';
import { interruptible } from '../interruption.js';
import { PLACE_OPTIONS, waitingOf } from '../place.js';
import { STOPPING_SIGNALS, Supervised } from '../supervised.js';
import { UsageError } from '../usage-error.js';
import { LEASE_REQUEST_OPTIONS, leaseRequestOf } from './leases.js';

const DEFAULT_GRACE_SECONDS = 5;

export const run: Command = {
  name: 'run',
  operands: '-- COMMAND [ARGUMENT…]',
  summary: 'runs a command under a lease',
  options: {
    ...LEASE_REQUEST_OPTIONS,
    ...PLACE_OPTIONS,
    env: {
      value: 'VARIABLE=SOURCE',
      help: 'gives the command more of its token: name, attribute.KEY or secret.KEY',
      isRepeatable: true,
    },
    grace: {
      value: 'SECONDS',
      help: `between SIGTERM and SIGKILL, at most half of the lease; default: ${DEFAULT_GRACE_SECONDS}`,
    },
  },
  notes: `The command finds TOKEN_ID, LEASE_ID and FENCE in its environment. tokenpool renews its lease if the pool allows that,
and releases it at the end. With --env it finds the name, attributes and secret of its token there, too; if the token
has no such value, the command does not start. If the lease is lost, the command gets SIGTERM, and SIGKILL after the grace. If time ends
the lease, it gets SIGTERM that long before. tokenpool passes on signals that end a program. Signals that stop one
(SIGTSTP) stop the command with it; if the lease is over when both go on, tokenpool ends the command. Nothing can be
done about SIGKILL and SIGSTOP, which no program can catch: sent to tokenpool alone, they leave the command running
while no process renews its lease. Send them to the process group of the command as well.

With --wait, tokenpool waits in the line of the pool, and prints its place on stderr when it is taken and when it has changed.
The place survives a restart of the service, and Ctrl-C gives it back. With --count, the command gets several tokens at
once: TOKEN_ID_1, TOKEN_ID_2 and so on, and likewise for the other variables; those without a number are of the first
token. If one of the leases is lost, the command ends.

Exit codes: the command's own; 128 + n when signal n ended it; ${EXIT.lost} the lease was lost; ${EXIT.noLease} no lease, not started;
${EXIT.notStarted} cannot be started; ${EXIT.notFound} no such command.`,
  examples: [
    'run -- ./nightly-import.sh',
    `run --pool elastic -- sh -c 'echo "$TOKEN_ID has fence $FENCE"'`,
    'run --pool desks --wait 10m -- ./e2e.sh',
    'run --pool phones --select country=de --env PHONE=name --env PIN=secret.pin -- ./call-test.sh',
  ],
  failureCode: EXIT.noLease,
  async run({ pool, given }) {
    given.noOperand();
    const [file, ...args] = given.rest;
    if (file === undefined) throw new UsageError('the command is missing: it stands after --');
    const marginMs = (given.seconds('grace') ?? DEFAULT_GRACE_SECONDS) * 1000;
    const request = leaseRequestOf(given);
    const { wait, count, onPlace } = waitingOf(given);
    const sources = sourcesOf(given.pairs('env'));
    let command: Supervised | undefined;
    let held: readonly Lease[] = [];
    const onSignal = (signal: NodeJS.Signals): boolean => {
      command?.pass(signal);
      return command !== undefined;
    };
    const onStop = (): void => {
      command?.suspend();
      process.kill(process.pid, 'SIGSTOP');
    };
    // If a lease has ended meanwhile, the command stays stopped until the lease's signal ends it.
    const onContinue = (): void => {
      if (held.length > 0 && held.every(({ remainingMs }) => remainingMs > 0)) command?.resume();
    };
    for (const signal of STOPPING_SIGNALS) process.on(signal, onStop);
    if (STOPPING_SIGNALS.length > 0) process.on('SIGCONT', onContinue);
    const underLeases = (signal: AbortSignal): Promise<number> =>
      pool.withLeases(
        (leases, lost) => {
          const [{ activated_at, expires_at }] = leases as [Lease];
          const lengthMs = Date.parse(expires_at) - Date.parse(activated_at);
          held = leases;
          command = new Supervised(file, args, { ...process.env, ...environmentOf(leases, sources) });
          return command.end(lost, Math.min(marginMs, lengthMs / 2));
        },
        { request, count, wait, onPlace, marginMs, signal },
      );
    try {
      return await interruptible(underLeases, onSignal);
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error;
      console.error(`tokenpool: ${error.message}`);
      return EXIT.lost;
    } finally {
      for (const signal of STOPPING_SIGNALS) process.off(signal, onStop);
      process.off('SIGCONT', onContinue);
    }
  },
};
