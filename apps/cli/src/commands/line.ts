// The commands `line` and `leave`.

import type { Ticket } from '../../../../libs/client/src/index.js';
import type { Command } from '../command.js';
import { listed, pageFor } from '../listed.js';
import { time, type Column } from '../output.js';

const TICKET_COLUMNS: readonly Column<Ticket>[] = [
  { title: 'place', of: ({ position, status }) => position ?? status },
  { title: 'ticket', of: ({ id }) => id },
  { title: 'who', of: ({ holder, user_id }) => holder ?? user_id },
  { title: 'tokens', of: ({ count }) => count },
  { title: 'since', of: ({ queued_at }) => time(queued_at) },
  { title: 'not later than', of: ({ not_later_than }) => time(not_later_than) },
];

export const line: Command = {
  name: 'line',
  summary: 'who waits in the line of a pool, in order',
  options: { limit: { value: 'N', help: 'at most so many; default: all' } },
  notes: 'Without a key that may operate, it prints only the places that were taken with this key.',
  examples: ['line --pool desks', 'line --pool desks --limit 10 --json'],
  async run({ pool, given, output }) {
    given.noOperand();
    const limit = given.whole('limit', 1);
    await listed(pool.line({ limit: pageFor(limit) }), ({ tickets }) => tickets, output.table(TICKET_COLUMNS), limit);
  },
};

export const leave: Command = {
  name: 'leave',
  operands: 'TICKET',
  summary: 'gives a place in the line back, and what it is offered',
  options: { note: { value: 'TEXT', help: 'why, for those who read the events' } },
  examples: ['leave 0bf79ada-ab5d-4f32-a96b-d4cf4b37d0df --note "found another desk"'],
  async run({ pool, given, output }) {
    const ticket = given.operand('TICKET');
    const answer = await pool.leave(ticket, { note: given.text('note') });
    await output.message(answer, `ticket ${answer.ticket_id} is cancelled`);
  },
};
