// The stored results for the page, as JSON. Its parts may come from different runs.

import type { MutantsResult } from '../mutants/all-mutants.js';
import type { OverloadResult } from '../overload/overload.js';
import type { NeighboursResult } from '../neighbours/neighbours.js';
import type { RunSummary } from './summary.js';

export interface ReliabilityResult {
  readonly run?: RunSummary;
  readonly mutants?: MutantsResult;
  readonly overload?: OverloadResult;
  readonly neighbours?: NeighboursResult;
}
