// The command `run`, which runs another command under a lease.

import { LeaseLostError, type Lease } from '../../../../libs/client/src/index.js';
import type { Command } from '../command.js';
import { environmentOf, sourcesOf, valuesOf } from '../environment.js';
import { EXIT, exitCodeOf } from '../exit-code.js';
import { ENDING_SIGNALS, STOPPING_SIGNALS, Supervised } from '../supervised.js';
import { UsageError } from '../usage-error.js';
import { LEASE_REQUEST_OPTIONS, leaseRequestOf } from './leases.js';

const DEFAULT_GRACE_SECONDS = 5;

/** A signal arrived before the command was started. */
class Interruption extends Error {
  constructor(readonly by: NodeJS.Signals) {
    super(by);
  }
}

export const run: Command = {
  name: 'run',
  operands: '-- COMMAND [ARGUMENT…]',
  summary: 'runs a command under a lease',
  options: {
    ...LEASE_REQUEST_OPTIONS,
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

Exit codes: the command's own; 128 + n when signal n ended it; ${EXIT.lost} the lease was lost; ${EXIT.noLease} no lease, not started;
${EXIT.notStarted} cannot be started; ${EXIT.notFound} no such command.`,
  examples: [
    'run -- ./nightly-import.sh',
    `run --pool elastic -- sh -c 'echo "$TOKEN_ID has fence $FENCE"'`,
    'run --pool phones --select country=de --env PHONE=name --env PIN=secret.pin -- ./call-test.sh',
  ],
  failureCode: EXIT.noLease,
  async run({ pool, given }) {
    given.noOperand();
    const [file, ...args] = given.rest;
    if (file === undefined) throw new UsageError('the command is missing: it stands after --');
    const marginMs = (given.seconds('grace') ?? DEFAULT_GRACE_SECONDS) * 1000;
    const request = leaseRequestOf(given);
    const sources = sourcesOf(given.pairs('env'));
    const interruption = new AbortController();
    let command: Supervised | undefined;
    let held: Lease | undefined;
    const onSignal = (signal: NodeJS.Signals): void =>
      command ? command.pass(signal) : interruption.abort(new Interruption(signal));
    const onStop = (): void => {
      command?.suspend();
      process.kill(process.pid, 'SIGSTOP');
    };
    // If the lease has ended meanwhile, the command stays stopped until the lease's signal ends it.
    const onContinue = (): void => {
      if (held && held.remainingMs > 0) command?.resume();
    };
    for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);
    for (const signal of STOPPING_SIGNALS) process.on(signal, onStop);
    if (STOPPING_SIGNALS.length > 0) process.on('SIGCONT', onContinue);
    try {
      return await pool.withLease(
        (lease, signal) => {
          const env = { ...environmentOf(lease), ...valuesOf(sources, lease) };
          const lengthMs = Date.parse(lease.expires_at) - Date.parse(lease.activated_at);
          held = lease;
          command = new Supervised(file, args, { ...process.env, ...env });
          return command.end(signal, Math.min(marginMs, lengthMs / 2));
        },
        { request, marginMs, signal: interruption.signal },
      );
    } catch (error) {
      if (error instanceof Interruption) return exitCodeOf(error.by);
      if (!(error instanceof LeaseLostError)) throw error;
      console.error(`tokenpool: ${error.message}`);
      return EXIT.lost;
    } finally {
      for (const signal of ENDING_SIGNALS) process.off(signal, onSignal);
      for (const signal of STOPPING_SIGNALS) process.off(signal, onStop);
      process.off('SIGCONT', onContinue);
    }
  },
};
