// Shares this process's only thread among keys. While several keys ask, requests begin, and are answered, in rounds: one of each key that
// waits, and little in a turn of the event loop. While the thread is busy with one key above all, that key pauses between its steps, so that
// what the others have asked the database is taken up at once.

import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import { Gate } from '@app/tokens';
import type { RequestHandler } from 'express';

/** Steps in one turn of the event loop: so few that the next turn, with what the database has answered, is near. */
const STEPS_PER_TURN = 4;
/** No step begins in a turn that has lasted for so long, in milliseconds. */
const TURN_MS = 4;
/** For so long after the last request of another key the thread counts as shared, in milliseconds. */
const SHARED_MS = 1000;

/** From one look at who uses the thread to the next, in milliseconds. */
const LOOK_MS = 100;
/** Above this part of its time the thread counts as busy. */
const BUSY = 0.7;
/** A key with more than this part of the steps is the dominant one. */
const DOMINANT = 0.5;
/** What counts of the steps before the last look. */
const MEMORY = 0.7;
/** Between two steps of the dominant key while the thread is busy, in milliseconds. */
const PAUSE_MS = 2;

/** A read that took less is followed by no rest, in milliseconds. */
const SHORT_READ_MS = 5;

type Step = () => void;

export class FairQueue {
  /** By key, in the order in which keys have their next step. A key is here only while it waits. */
  readonly #waiting = new Map<string, Step[]>();
  /** Only a good key reads, so there are no more than there are keys. */
  readonly #reading = new Map<string, Gate>();
  readonly #usage = new Usage();
  #lastKey = '';
  #sharedUntil = -Infinity;
  #isTurnArmed = false;
  #turnBegan = 0;
  #steps = 0;

  /** Middleware for after it is known who asks. Without keys all callers are one, and nothing waits. */
  readonly handle: RequestHandler = (req, _res, next) => {
    const key = req.key?.id;
    if (key !== undefined && key !== this.#lastKey) {
      if (this.#lastKey !== '') this.#sharedUntil = performance.now() + SHARED_MS;
      this.#lastKey = key;
    }
    this.enter(key, next);
  };

  /** Whether more than one key has asked within the last second. */
  get isShared(): boolean {
    return this.#sharedUntil > -Infinity && performance.now() < this.#sharedUntil;
  }

  /** Calls back at once while the thread is not shared, or little is done in this turn; else when it is the key's turn. */
  enter(keyId: string | null | undefined, step: Step): void {
    if (this.#waiting.size === 0 && !this.isShared) return step();
    const key = keyId ?? '';
    const ofKey = this.#waiting.get(key);
    if (ofKey) return void ofKey.push(step);
    if (!this.#isTurnArmed) this.#armTurn(false);
    if (this.#hasTime() && !this.#usage.isHeld(key)) return this.#do(key, step);
    this.#waiting.set(key, [step]);
  }

  /** Resolves when it is the key's turn. */
  turn(keyId: string | null): Promise<void> {
    return new Promise((resolve) => this.enter(keyId, resolve));
  }

  /**
   * Reads when it is the key's turn: one page at a time, as it costs the database a connection and this process its thread. While the
   * thread is shared, the key rests after a long page: three quarters of the time are left to the others.
   */
  read<T>(keyId: string | null, read: () => Promise<T>): Promise<T> {
    if (keyId === null) return read();
    let gate = this.#reading.get(keyId);
    if (!gate) this.#reading.set(keyId, (gate = new Gate(1, (tookMs) => this.#restMs(tookMs))));
    return gate.pass(read);
  }

  #restMs(readMs: number): number {
    return this.isShared && readMs > SHORT_READ_MS ? 3 * readMs : 0;
  }

  #hasTime(): boolean {
    return this.#steps < STEPS_PER_TURN && performance.now() - this.#turnBegan < TURN_MS;
  }

  #do(key: string, step: Step): void {
    this.#steps++;
    this.#usage.count(key);
    step();
  }

  #armTurn(afterPause: boolean): void {
    this.#isTurnArmed = true;
    this.#steps = 0;
    this.#turnBegan = performance.now();
    if (afterPause) setTimeout(() => this.#nextTurn(), PAUSE_MS);
    else setImmediate(() => this.#nextTurn());
  }

  /** A key that is held has one step, and a pause after it. */
  #nextTurn(): void {
    this.#isTurnArmed = false;
    this.#usage.look();
    if (this.#waiting.size === 0) return;
    this.#steps = 0;
    this.#turnBegan = performance.now();
    let isHeld = false;
    do {
      const [key, ofKey] = this.#waiting.entries().next().value as [string, Step[]];
      if (this.#usage.isHeld(key)) {
        if (isHeld) break;
        isHeld = true;
      }
      this.#waiting.delete(key);
      const step = ofKey.shift()!;
      if (ofKey.length > 0) this.#waiting.set(key, ofKey);
      this.#do(key, step);
    } while (this.#waiting.size > 0 && this.#hasTime());
    this.#armTurn(isHeld);
  }
}

/** Who uses the thread, and how busy it is. */
class Usage {
  readonly #steps = new Map<string, number>();
  #lookedAt = 0;
  #before: EventLoopUtilization = performance.eventLoopUtilization();
  #dominant: string | null = null;

  /** Whether this key has most of the steps, while the thread is busy. */
  isHeld(key: string): boolean {
    return key === this.#dominant;
  }

  count(key: string): void {
    this.#steps.set(key, (this.#steps.get(key) ?? 0) + 1);
  }

  look(): void {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    const utilization = performance.eventLoopUtilization();
    const { utilization: busy } = performance.eventLoopUtilization(utilization, this.#before);
    this.#before = utilization;
    let all = 0;
    let most: [key: string | null, steps: number] = [null, 0];
    for (const [key, steps] of this.#steps) {
      all += steps;
      if (steps > most[1]) most = [key, steps];
      if (steps < 1) this.#steps.delete(key);
      else this.#steps.set(key, steps * MEMORY);
    }
    this.#dominant = busy > BUSY && most[1] > DOMINANT * all ? most[0] : null;
  }
}

/** A process has one thread, and so one queue for it. */
export const FAIR_QUEUE = new FairQueue();
