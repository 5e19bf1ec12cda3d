// Many connections that allocate tokens: each after its last answer, or all together at a rate.

import { setTimeout as sleep } from 'node:timers/promises';
import { Tally } from './tally.js';
import { requestTo, Wire } from '../../harness/wire.js';

const TICK_MS = 5;
const OPENED_AT_ONCE = 100;

export class Storm {
  readonly #wires: Wire[] = [];
  readonly #request: Buffer;

  constructor(
    private readonly port: number,
    pool: string,
  ) {
    this.#request = requestTo('/api/tokens/allocate', { pool });
  }

  get connections(): number {
    return this.#wires.length;
  }

  /** @returns the number of connections then */
  async connect(upTo: number): Promise<number> {
    while (this.#wires.length < upTo) {
      const fresh = Array.from(
        { length: Math.min(OPENED_AT_ONCE, upTo - this.#wires.length) },
        () => new Wire(this.port),
      );
      const isOpen = await Promise.all(fresh.map((wire) => wire.open()));
      this.#wires.push(...fresh);
      if (isOpen.includes(false)) await sleep(50);
    }
    return this.#wires.length;
  }

  /** Each connection sends its next request after an answer; after a refusal it waits for `Retry-After`. */
  async closedLoop(seconds: number): Promise<Tally> {
    const tally = new Tally();
    const until = performance.now() + seconds * 1000;
    await Promise.all(
      this.#wires.map(async (wire) => {
        while (performance.now() < until) {
          const reply = await wire.ask(this.#request);
          if (performance.now() < until) tally.count(reply);
          if (reply?.status !== 200) await sleep((reply?.retryAfter ?? 1) * 1000);
        }
      }),
    );
    return tally;
  }

  /**
   * Sends at a rate, whatever the answers are. It passes over connections that still wait; when all of them wait, it
   * cannot send. `sent` counts the requests that it could send.
   */
  async openLoop(seconds: number, perSecond: number): Promise<{ readonly tally: Tally; readonly sent: number }> {
    const tally = new Tally();
    const began = performance.now();
    const until = began + seconds * 1000;
    let [sent, place, waiting] = [0, 0, 0];
    while (performance.now() < until) {
      const due = ((performance.now() - began) / 1000) * perSecond;
      for (let tries = 0; sent + waiting < due && tries < this.#wires.length; tries++) {
        const wire = this.#wires[place++ % this.#wires.length] as Wire;
        if (wire.isBusy) continue;
        sent++;
        void wire.ask(this.#request).then((reply) => performance.now() < until && tally.count(reply));
      }
      // A request that it could not send in time is not sent later, since that would be another rate.
      waiting = Math.max(waiting, due - sent - perSecond * (TICK_MS / 1000) * 4);
      await sleep(TICK_MS);
    }
    while (this.#wires.some((wire) => wire.isBusy)) await sleep(20);
    return { tally, sent };
  }

  close(): void {
    for (const wire of this.#wires.splice(0)) wire.close();
  }
}
