// All commands, in the order of the help.

import type { Command } from './command.js';
import { clean } from './commands/clean.js';
import { events, watch } from './commands/events.js';
import { leases, releaseAll } from './commands/held.js';
import { allocate, keepAlive, release } from './commands/leases.js';
import { leave, line } from './commands/line.js';
import { cleanup, pools } from './commands/pools.js';
import { run } from './commands/run.js';
import { importThings, listThings, removeThing, setThing } from './commands/things.js';
import { deleteToken, generate, history, list, show } from './commands/tokens.js';

export const COMMANDS: readonly Command[] = [
  allocate,
  release,
  keepAlive,
  run,
  clean,
  line,
  leave,
  list,
  show,
  history,
  leases,
  releaseAll,
  events,
  watch,
  pools,
  cleanup,
  generate,
  deleteToken,
  importThings,
  listThings,
  setThing,
  removeThing,
];
