// The machine and the commit on which a result depends.

import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';

export const machine = (): string =>
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GB`;

/** @returns the commit, and whether the service has uncommitted changes */
export function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    const changes = git('status', '--porcelain', '--', 'apps/api', 'libs') === '' ? '' : ' with changes';
    return git('rev-parse', '--short', 'HEAD') + changes;
  } catch {
    return 'unknown';
  }
}
