// All nemeses.

import { clockNemesis } from './clock-nemesis.js';
import { DATABASE_NEMESES } from './database-nemeses.js';
import { NETWORK_NEMESES } from './network-nemeses.js';
import { PROCESS_NEMESES } from './process-nemeses.js';
import type { Nemesis } from './world.js';

export const NEMESES: readonly Nemesis[] = [...PROCESS_NEMESES, ...DATABASE_NEMESES, ...NETWORK_NEMESES, clockNemesis];
