// Two faults at once: the service may survive each alone, but not both together.

import type { Random } from '../../harness/random.js';
import type { Nemesis, Strike, World } from './world.js';

/** @returns a nemesis that does not undo the given one, if there is any */
export function partnerOf(nemesis: Nemesis, all: readonly Nemesis[], random: Random): Nemesis | undefined {
  if (nemesis.isAlone) return undefined;
  const others = all.filter(({ family, isAlone }) => family !== nemesis.family && !isAlone);
  return others.length > 0 ? random.pick(others) : undefined;
}

export async function both(first: Nemesis, second: Nemesis, world: World): Promise<Strike> {
  const [one, other] = await Promise.all([first.strike(world), second.strike(world)]);
  return {
    detail: `${one.detail}; ${other.detail}`,
    hit: [...new Set([...one.hit, ...other.hit])],
    survivors: one.survivors.filter((number) => other.survivors.includes(number)),
    complaints: [...(one.complaints ?? []), ...(other.complaints ?? [])],
    repair: async () => {
      await one.repair?.();
      await other.repair?.();
    },
  };
}
