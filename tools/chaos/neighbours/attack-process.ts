// Runs an attack in a process of its own, with less priority than the service on the same processors (nice 10).

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Attacker } from './attacker.js';
import { ATTACKS } from './attacks.js';

export interface AttackProcess {
  /** Ends the attack. @returns the number of answers with each status since its start */
  readonly end: () => Promise<Readonly<Record<string, number>>>;
}

/** Resolves when the attack is under way. */
export async function startAttack(name: string, port: number, key: string): Promise<AttackProcess> {
  const child = fork(fileURLToPath(import.meta.url), ['attack', name, String(port), key]);
  const exit = once(child, 'exit');
  const told = async (): Promise<unknown> => {
    const message = await Promise.race([once(child, 'message'), exit.then(() => null)]);
    if (message === null) throw new Error(`the process of the attack ${name} has ended`);
    return (message as unknown[])[0];
  };
  await told();
  return {
    end: async () => {
      child.send('end');
      const answers = (await told()) as Record<string, number>;
      child.kill('SIGKILL');
      await exit;
      return answers;
    },
  };
}

if (process.argv[2] === 'attack' && process.send) {
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const [, , , name, port, key] = process.argv;
  const attacker = new Attacker(Number(port), key as string);
  process.on('disconnect', () => process.exit());
  process.on('message', () => process.send?.(attacker.answers));
  await ATTACKS.find((attack) => attack.name === name)?.begin(attacker);
  for (const status of Object.keys(attacker.answers)) delete attacker.answers[status];
  process.send('begun');
}
