// Shares this process's only thread among keys. While several keys send requests, the requests begin and end in rounds:
// one request of each waiting key, and few of them in a turn of the event loop. While one key dominates the busy
// thread, it pauses between its steps, so that the thread takes up the database's answers to other keys at once.

import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import { Semaphore } from '@app/tokens';
import type { RequestHandler } from 'express';

/** The most steps in a turn of the event loop. The next turn takes up answers of the database, so it must come soon. */
const STEPS_PER_TURN = 4;
/** No step begins in a turn that has lasted for this many milliseconds. */
const TURN_MS = 4;
/** The thread counts as shared for this many milliseconds after the last request of another key. */
const SHARED_MS = 1000;

/** The interval between two measurements of the thread's use, in milliseconds. */
const LOOK_MS = 100;
/** The thread counts as busy above this utilisation. */
const BUSY = 0.7;
/** A key with more than this share of the steps dominates. */
const DOMINANT = 0.5;
/** The weight of the steps before the last measurement. */
const MEMORY = 0.7;
/** The pause between two steps of the dominant key while the thread is busy, in milliseconds. */
const PAUSE_MS = 2;

/** After a read that took less than this many milliseconds, the key does not rest. */
const SHORT_READ_MS = 5;

type Step = () => void;

export class FairQueue {
  /** The steps of the waiting keys, in the order in which the keys are next. */
  readonly #waiting = new Map<string, Step[]>();
  /** Only valid keys read, so that the map has at most one entry a key. */
  readonly #reading = new Map<string, Semaphore>();
  readonly #usage = new Usage();
  #lastKey = '';
  #sharedUntil = -Infinity;
  #isTurnArmed = false;
  #turnBegan = 0;
  #steps = 0;

  /** Middleware; it runs when the key is known. Without keys all callers count as one, and nothing waits. */
  readonly handle: RequestHandler = (req, _res, next) => {
    const key = req.key?.id;
    if (key !== undefined && key !== this.#lastKey) {
      if (this.#lastKey !== '') this.#sharedUntil = performance.now() + SHARED_MS;
      this.#lastKey = key;
    }
    this.enter(key, next);
  };

  /** Whether more than one key has sent a request within the last second. */
  get isShared(): boolean {
    return this.#sharedUntil > -Infinity && performance.now() < this.#sharedUntil;
  }

  /** Runs the step at once while the thread is not shared or the turn has time; else when it is the key's turn. */
  enter(keyId: string | null | undefined, step: Step): void {
    if (this.#waiting.size === 0 && !this.isShared) return step();
    this.#enter(keyId ?? '', step);
  }

  /**
   * Resolves when it is the turn of a stream of this key. Hundreds of streams that write at once would leave no turn
   * of the event loop to requests, so streams wait also while nobody else asks.
   */
  turn(keyId: string | null): Promise<void> {
    return new Promise((resolve) => this.#enter(`${keyId ?? ''} streams`, resolve));
  }

  /**
   * Reads when it is the key's turn. A key reads one page at a time, since a page costs the database a connection and
   * this process its thread. While the thread is shared, the key rests after a long page for three times as long.
   */
  read<T>(keyId: string | null, read: () => Promise<T>): Promise<T> {
    if (keyId === null) return read();
    let semaphore = this.#reading.get(keyId);
    if (!semaphore) this.#reading.set(keyId, (semaphore = new Semaphore(1, (tookMs) => this.#restMs(tookMs))));
    return semaphore.run(read);
  }

  #restMs(readMs: number): number {
    return this.isShared && readMs > SHORT_READ_MS ? 3 * readMs : 0;
  }

  #enter(key: string, step: Step): void {
    const ofKey = this.#waiting.get(key);
    if (ofKey) return void ofKey.push(step);
    if (!this.#isTurnArmed) this.#armTurn(false);
    if (this.#hasTime() && !this.#isHeld(key)) return this.#do(key, step);
    this.#waiting.set(key, [step]);
  }

  /** Whether the key pauses between its steps, for the others' sake. */
  #isHeld(key: string): boolean {
    return this.isShared && this.#usage.isDominant(key);
  }

  #hasTime(): boolean {
    return this.#steps < STEPS_PER_TURN && performance.now() - this.#turnBegan < TURN_MS;
  }

  #do(key: string, step: Step): void {
    this.#steps++;
    this.#usage.count(key);
    step();
  }

  #beginTurn(): void {
    this.#steps = 0;
    this.#turnBegan = performance.now();
  }

  #armTurn(afterPause: boolean): void {
    this.#isTurnArmed = true;
    this.#beginTurn();
    if (afterPause) setTimeout(() => this.#nextTurn(), PAUSE_MS);
    else setImmediate(() => this.#nextTurn());
  }

  /** A dominant key has one step and then a pause. */
  #nextTurn(): void {
    this.#usage.look();
    if (this.#waiting.size === 0) {
      this.#isTurnArmed = false;
      return;
    }
    this.#beginTurn();
    let isHeld = false;
    do {
      const [key, ofKey] = this.#waiting.entries().next().value as [string, Step[]];
      if (this.#isHeld(key)) {
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

/** Measures which key uses the thread, and how busy the thread is. */
class Usage {
  readonly #steps = new Map<string, number>();
  #lookedAt = 0;
  #before: EventLoopUtilization = performance.eventLoopUtilization();
  #dominant: string | null = null;

  /** Whether the thread is busy and this key has most of its steps. */
  isDominant(key: string): boolean {
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

/** A process has one thread and so one queue. */
export const FAIR_QUEUE = new FairQueue();
