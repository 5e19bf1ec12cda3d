// Summarises a sampled profile: packages and functions by the time that they themselves took.

import type { Profiler } from 'node:inspector';

export interface ProfileSummary {
  /** Shares of the sampled time. */
  readonly idle: number;
  readonly garbageCollection: number;
  /** Native code that the profiler cannot name: system calls, sockets, timers. */
  readonly native: number;
  readonly packages: readonly Share[];
  readonly functions: readonly Share[];
}

export interface Share {
  readonly name: string;
  readonly share: number;
}

export function summarise({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile, most = 30): ProfileSummary {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const functions = new Map<string, number>();
  const packages = new Map<string, number>();
  let total = 0;
  samples.forEach((id, place) => {
    const { functionName, url, lineNumber } = byId.get(id)!;
    // This is the profiler itself, as it starts and stops.
    if (url === '' && functionName === 'dispatch') return;
    const time = timeDeltas[place] ?? 0;
    total += time;
    add(
      functions,
      url === '' ? functionName : `${functionName || '(anonymous)'} ${shortPlace(url)}:${lineNumber + 1}`,
      time,
    );
    add(packages, url === '' ? functionName : packageOf(url), time);
  });
  const shareOf = (name: string): number => (functions.get(name) ?? 0) / total;
  const top = (times: Map<string, number>): Share[] =>
    [...times]
      .map(([name, time]) => ({ name, share: time / total }))
      .filter(({ name }) => !['(idle)', '(root)'].includes(name))
      .sort((a, b) => b.share - a.share)
      .slice(0, most);
  return {
    idle: shareOf('(idle)'),
    garbageCollection: shareOf('(garbage collector)'),
    native: shareOf('(program)'),
    packages: top(packages),
    functions: top(functions),
  };
}

const add = (times: Map<string, number>, name: string, time: number) => times.set(name, (times.get(name) ?? 0) + time);

const shortPlace = (url: string): string =>
  url.replace(/^file:\/\//, '').replace(/^.*\/(node_modules|dist\/bench)\//, '');

const packageOf = (url: string): string => {
  if (url.startsWith('node:')) return url.replace(/^(node:(internal\/)?[^/]+).*$/, '$1');
  return /.*node_modules\/((@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? /(apps|libs)\/([^/]+)\/src/.exec(url)?.[0] ?? url;
};
