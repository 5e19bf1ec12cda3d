// Prints the timeline: each action of a person, and below it the events that the audit recorded.

import type { EventView } from '@app/tokens';
import type { Names } from './counter.js';

const isTerminal = process.stdout.isTTY;
const paint = (code: number, text: string): string => (isTerminal ? `\u001b[${code}m${text}\u001b[0m` : text);

const LOOKS: Record<EventView['event'], string> = {
  generated: paint(36, '✚ generated'),
  activated: paint(32, '▶ activated'),
  renewed: paint(34, '↻ renewed  '),
  released: paint(33, '■ released '),
  expired: paint(35, '◷ expired  '),
  described: paint(34, '✎ described'),
  deleted: paint(31, '✖ deleted  '),
  soiled: paint(33, '~ soiled   '),
  cleaned: paint(32, '✔ cleaned  '),
  disabled: paint(31, '✖ disabled '),
  enabled: paint(36, '✚ enabled  '),
  policy_changed: paint(90, '⚙ policy changed'),
  pool_deleted: paint(31, '✖ pool deleted'),
  pool_opened: paint(36, '✚ pool opened again'),
  queued: paint(33, '… queued   '),
  left: paint(90, '← left     '),
  promised: paint(90, '⚙ promised '),
};

export class Timeline {
  readonly #began = performance.now();

  constructor(private readonly names: Names) {}

  scene(title: string): void {
    console.log(`\n${paint(1, title)}`);
  }

  say(what: string): void {
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(2).padStart(6);
    console.log(`${seconds}s  ${what}`);
  }

  record(events: readonly EventView[]): void {
    for (const { seq, event, token_id, user_id, fence, reason, occurred_at } of events) {
      const who = user_id === null ? '' : ` · ${this.names.user(user_id)}, fence ${fence}`;
      const why = reason === null ? '' : ` · ${reason}`;
      const when = occurred_at.slice(11, 23);
      console.log(
        `          ${paint(90, `seq ${String(seq).padStart(3)}  ${when}`)}  ${LOOKS[event]} ${token_id === null ? '' : this.names.token(token_id)}${who}${why}`,
      );
    }
  }
}
