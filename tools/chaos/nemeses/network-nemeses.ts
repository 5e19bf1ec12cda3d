// Faults of the network between API and database: slow, cut, silent, closed.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Proxy } from '../../harness/proxy.js';
import { numbersOf, type Nemesis, type Replica, type World } from './world.js';

const someOf = ({ random, replicas }: World): Replica[] =>
  random.shuffled(replicas).slice(0, random.whole(1, replicas.length));

/** Makes some of the proxies bad for some seconds. */
const weather = (
  name: string,
  seconds: readonly [number, number],
  begin: (world: World) => { readonly detail: string; readonly apply: (proxy: Proxy) => void },
): Nemesis => ({
  name,
  family: 'network',
  strike: async (world) => {
    const victims = someOf(world);
    const { detail, apply } = begin(world);
    const duration = world.random.between(...seconds);
    for (const { proxy } of victims) apply(proxy);
    await sleep(duration * 1000);
    for (const { proxy } of victims) proxy.heal();
    return {
      detail: `${detail} of ${victims.length} for ${duration.toFixed(1)} s`,
      hit: numbersOf(victims),
      survivors: numbersOf(world.replicas),
    };
  },
});

const slow = weather('slow-network', [1.5, 3], ({ random }) => {
  const delayMs = random.pick([5, 30, 100, 300, 800, 1500]);
  return { detail: `${delayMs} ms each way`, apply: (proxy) => proxy.set({ delayMs }) };
});

const cut: Nemesis = {
  name: 'cut-connections',
  family: 'network',
  strike: async (world) => {
    const { random } = world;
    const victims = someOf(world);
    const times = random.whole(5, 15);
    for (let time = 0; time < times; time++) {
      for (const { proxy } of victims) proxy.set({ bytesLeft: random.whole(0, 4000) });
      await sleep(random.between(30, 200));
    }
    for (const { proxy } of victims) proxy.heal();
    return {
      detail: `after up to 4,000 bytes, ${times} times, of ${victims.length}`,
      hit: numbersOf(victims),
      survivors: numbersOf(world.replicas),
    };
  },
};

const deafness = (name: string, commit: 'is lost' | 'is not answered'): Nemesis => ({
  name,
  family: 'network',
  strike: async (world) => {
    const victims = someOf(world);
    for (const { proxy } of victims) proxy.set({ commit, probability: 0.3 });
    await sleep(world.random.between(1500, 2500));
    for (const { proxy } of victims) proxy.heal();
    const count = victims.reduce((sum, { proxy }) => sum + proxy.takeCommitsLost(), 0);
    return {
      detail: `${count} times COMMIT ${commit}, of ${victims.length}`,
      hit: numbersOf(victims),
      survivors: numbersOf(world.replicas),
    };
  },
});

const loseCommit = deafness('lose-commit', 'is lost');

const loseAnswer = deafness('lose-commit-answer', 'is not answered');

const silence = weather('silent-network', [1, 6], () => ({
  detail: 'silence',
  apply: (proxy) => proxy.set({ isSilent: true }),
}));

const close = weather('closed-network', [0.5, 3], () => ({
  detail: 'no connection',
  apply: (proxy) => proxy.set({ isClosed: true }),
}));

/** As after a failover, or when a router forgets its state: only new connections work, and neither side is told. */
const halfOpen: Nemesis = {
  name: 'half-open',
  family: 'network',
  strike: async (world) => {
    const victims = someOf(world);
    const connections = victims.reduce((sum, { proxy }) => sum + proxy.ports.length, 0);
    for (const { proxy } of victims) proxy.halfOpen();
    return {
      detail: `${connections} connections of ${victims.length}`,
      hit: numbersOf(victims),
      survivors: numbersOf(world.replicas),
      repair: async () => {
        for (const { proxy } of victims) proxy.tellDatabase();
      },
    };
  },
};

export const NETWORK_NEMESES: readonly Nemesis[] = [slow, cut, loseCommit, loseAnswer, silence, close, halfOpen];
