// The report of a rolling restart for the terminal.

import { number, type Table } from '../../harness/table.js';
import type { UpgradeResult } from './upgrade.js';

export const isUnnoticed = ({ failed, findings }: UpgradeResult): boolean =>
  failed.length === 0 && findings.length === 0;

export const upgradeTable = ({ steps }: UpgradeResult): Table => ({
  title: 'one process ended, and one of the other version began in its place',
  head: ['step', 'ready again, ms', 'requests meanwhile', 'slowest, ms'],
  rows: steps.map(({ what, ms, requests, slowestMs }) => [what, number(ms), number(requests), number(slowestMs)]),
});

export const verdict = ({ requests, failed, findings }: UpgradeResult): string =>
  `${requests} requests, ${failed.length} of them failed; ${findings.length} findings of checker and audit.`;
