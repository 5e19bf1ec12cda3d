// The command `clean`, which has dirty tokens cleaned by another command.

import { TokenPoolError, type CleaningGrant, type PoolHandle } from '../../../../libs/client/src/index.js';
import { selectorOf } from '../attribute-values.js';
import type { Command } from '../command.js';
import { EXIT } from '../exit-code.js';
import { interruptible } from '../interruption.js';
import { Supervised } from '../supervised.js';
import { UsageError } from '../usage-error.js';
import { LEASE_REQUEST_OPTIONS } from './leases.js';

const DEFAULT_GRACE_SECONDS = 5;
/** The longest time for which one request waits. */
const MOST_SECONDS = 60;
/** The service keeps so many characters of a note. */
const MOST_CHARACTERS = 200;

/** How a token is after its command. */
type Condition = 'ok' | 'dirty' | 'broken';

export const clean: Command = {
  name: 'clean',
  operands: '-- COMMAND [ARGUMENT…]',
  summary: 'has one dirty token after the other cleaned by a command',
  options: {
    holder: { value: 'NAME', help: 'who cleans, such as janitor-1' },
    select: LEASE_REQUEST_OPTIONS['select']!,
    wait: {
      value: 'SECONDS',
      help: 'how long to wait for the next dirty token; default: 0, end when nothing is dirty',
    },
    grace: {
      value: 'SECONDS',
      help: `between SIGTERM and SIGKILL, when the time is up; default: ${DEFAULT_GRACE_SECONDS}`,
    },
  },
  notes: `The command gets the name of the token as its last argument, or its id if it has no name, and finds TOKEN_ID, LEASE_ID and FENCE
in its environment. If it exits with 0, the token is clean; if with anything else, it is broken, and out of service
until somebody enables it. When the time that the pool gives is nearly up, or a signal ends the command, the token is dirty again.

Exit codes: 0 all were cleaned; ${EXIT.refused} some were not, or the service refused; 128 + n when signal n ended it;
${EXIT.notStarted} the command cannot be started; ${EXIT.notFound} no such command.`,
  examples: ['clean --pool vms -- ./wipe.sh', 'clean --pool vms --holder janitor-1 --wait 3600 -- ./wipe.sh'],
  async run({ pool, given }) {
    given.noOperand();
    const [file, ...args] = given.rest;
    if (file === undefined) throw new UsageError('the command is missing: it stands after --');
    const graceMs = (given.seconds('grace') ?? DEFAULT_GRACE_SECONDS) * 1000;
    const request = { holder: given.text('holder'), select: selectorOf(given) };
    const waitSeconds = given.seconds('wait') ?? 0;
    let command: Supervised | undefined;
    let hasEnded = false;
    const onSignal = (signal: NodeJS.Signals): boolean => {
      command?.pass(signal);
      hasEnded = command !== undefined;
      return hasEnded;
    };
    const cleanOne = async (grant: CleaningGrant): Promise<number> => {
      const lengthMs = Date.parse(grant.expires_at) - Date.parse(grant.activated_at);
      const marginMs = Math.min(graceMs, lengthMs / 2);
      const time = AbortSignal.timeout(lengthMs - marginMs);
      const env = { TOKEN_ID: grant.token_id, LEASE_ID: grant.lease_id, FENCE: String(grant.fence) };
      command = new Supervised(file, [...args, grant.name ?? grant.token_id], { ...process.env, ...env });
      const code = await command.end(time, marginMs);
      command = undefined;
      const isUnknown = time.aborted || hasEnded || code === EXIT.notStarted || code === EXIT.notFound;
      const condition: Condition = code === 0 ? 'ok' : isUnknown ? 'dirty' : 'broken';
      const note = condition === 'ok' ? undefined : `${file} ended with ${code}`.slice(0, MOST_CHARACTERS);
      await pool.release(grant, { condition, note }).catch(ignoreEnded);
      return code;
    };
    const cleanAll = async (signal: AbortSignal): Promise<number> => {
      let worst: number = EXIT.done;
      for (;;) {
        const grant = await nextOf(pool, request, waitSeconds, signal);
        if (!grant) return worst;
        const code = await cleanOne(grant);
        if (hasEnded || code === EXIT.notStarted || code === EXIT.notFound) return code;
        if (code !== 0) worst = EXIT.refused;
      }
    };
    return interruptible(cleanAll, onSignal);
  },
};

/** Without its lease, a token is dirty again. */
function ignoreEnded(error: unknown): void {
  if (!TokenPoolError.is(error, 'lease_ended') && !TokenPoolError.is(error, 'stale_lease')) throw error;
}

/** The next dirty token; null when there is none within the time. */
async function nextOf(
  pool: PoolHandle,
  request: Parameters<PoolHandle['clean']>[0],
  waitSeconds: number,
  signal: AbortSignal,
): Promise<CleaningGrant | null> {
  for (let left = waitSeconds; ; left -= MOST_SECONDS) {
    try {
      return await pool.clean({ ...request, wait_seconds: Math.min(left, MOST_SECONDS) }, { signal });
    } catch (error) {
      if (!TokenPoolError.is(error, 'nothing_dirty')) throw error;
      if (left <= MOST_SECONDS) return null;
    }
  }
}
