// Mistakes with the line.

import type { Mutant } from './mutant.js';

const LINE = 'libs/tokens/src/pool/line.js';

export const LINE_MUTANTS: readonly Mutant[] = [
  {
    name: 'newest-first',
    isInTests: true,
    mistake: 'who came last is served first',
    patches: [
      {
        file: LINE,
        from: 'for (const ticket of [...tickets.waiting]) {',
        to: 'for (const ticket of [...tickets.waiting].reverse()) {',
      },
    ],
    nemeses: [],
    caughtBy: /^line: .*is served before place/,
  },
  {
    name: 'small-pass-large',
    mistake: 'who waits for one token passes somebody who waits for several',
    patches: [
      {
        file: LINE,
        from: 'if (ticket.select === null)\n            return;',
        to: 'if (ticket.select === null)\n            continue;',
      },
    ],
    nemeses: [],
    caughtBy: /^line: .*is served before place/,
  },
  {
    name: 'offer-kept',
    seconds: 8,
    mistake: 'an offer that nobody claims keeps its token for longer than the time to claim',
    patches: [
      {
        file: LINE,
        from: 'work.now + fromSeconds(ticket.claimSeconds);',
        to: 'work.now + 2 * fromSeconds(ticket.claimSeconds);',
      },
    ],
    nemeses: [],
    caughtBy: /^line: .*without a claim/,
  },
  {
    name: 'places-lost',
    seconds: 8,
    mistake: 'places are in a table that is empty after a crash of the database',
    patches: [],
    sql: ['ALTER TABLE tickets SET UNLOGGED'],
    nemeses: ['kill-database'],
    caughtBy: /^line: .*(lost its place|does not wait|past place|before place)/,
  },
  {
    name: 'promise-without-claims',
    seconds: 12,
    mistake: 'a promise leaves out the time that those before have to claim',
    patches: [
      {
        file: 'libs/tokens/src/pool/line-promises.js',
        from: 'fromSeconds(claimSeconds) + fromSeconds(holdSeconds)',
        to: 'fromSeconds(holdSeconds)',
      },
    ],
    load: { waiters: 40, slowWaiters: true },
    nemeses: [],
    caughtBy: /^(line: .*later than promised|audit: line: .*later than promised)/,
  },
];
