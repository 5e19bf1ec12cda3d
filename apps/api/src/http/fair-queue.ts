// Shares this process's only thread among keys. While several keys send requests, the requests begin and end in rounds:
// one request of each waiting key, and few of them in a turn of the event loop. While one key dominates the busy
// thread, it pauses between its steps, and only it, so that the thread takes up the answers of the database to others.

import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import { SharedUse } from '@app/tokens';
import type { RequestHandler } from 'express';
import { Turns } from './turns.js';

/** The most steps in a turn of the event loop. The next turn takes up answers of the database, so it must come soon. */
const STEPS_PER_TURN = 4;
/** No step begins in a turn that has lasted for this many milliseconds. */
const TURN_MS = 4;
/** The thread counts as shared for this many milliseconds after the last request of another key. */
const SHARED_MS = 1000;

/** The interval between two measurements of the thread's use, in milliseconds. */
const LOOK_MS = 100;
/** The thread counts as busy above this utilisation, and while a key pauses, above the lower one. */
const BUSY = 0.7;
const STILL_BUSY = 0.45;
/** A key whose steps and reads took more than this share of the time of all of them dominates. */
const DOMINANT = 0.5;
/** An estimate of the part of a read in which it uses the thread. */
const THREADS_PART = 0.5;
/** An estimate of what a step costs the thread outside the queue: its share of the socket, the body and the answer. */
const OVERHEAD_MS = 0.3;
/** The weight of the time before the last measurement. */
const MEMORY = 0.7;
const FORGOTTEN_MS = 0.1;
/** The dominant key pauses for this many milliseconds after the last request of another key. */
const CONTENDED_MS = 100;
/** The pause between two steps of the dominant key while the thread is busy, in milliseconds. */
const PAUSE_MS = 2;

/** After a read that took less than this many milliseconds, the key does not rest. */
const SHORT_READ_MS = 5;
/** The longest rest in milliseconds: a read that took seconds has waited for the database. */
const LONGEST_REST_MS = 1000;

type Step = () => void;

/** The streams of a key wait in a lane of their own, behind its id, so that its requests have their own turns. */
const STREAMS = ' streams';
const keyOf = (lane: string): string => (lane.endsWith(STREAMS) ? lane.slice(0, -STREAMS.length) : lane);

export class FairQueue {
  /** The steps of the waiting keys, in the order in which the keys are next. */
  readonly #waiting = new Map<string, Step[]>();
  /** Only valid keys read, so that the map has at most one entry a key. */
  readonly #reading = new Map<string, Turns>();
  readonly #usage = new Usage();
  readonly #sharing = new SharedUse();
  #turn: NodeJS.Immediate | null = null;
  #turnBegan = 0;
  /** Ends the turn again when only the dominant key waits. */
  #pause: NodeJS.Timeout | undefined;
  #pausesUntil = -Infinity;
  #steps = 0;

  /** Middleware; it runs when the key is known. Without keys all callers count as one, and nothing waits. */
  readonly handle: RequestHandler = (req, _res, next) => {
    const key = req.key?.id;
    if (key !== undefined) this.#sharing.note(key);
    this.enter(key, next);
  };

  /** Whether more than one key has sent a request within the last second. */
  get isShared(): boolean {
    return this.#sharing.isWithin(SHARED_MS);
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
    return new Promise((resolve) => this.#enter(`${keyId ?? ''}${STREAMS}`, resolve));
  }

  /**
   * Reads when it is the key's turn. A key reads one page at a time, since a page costs the database a connection and
   * this process its thread. While the thread is shared, the key rests after a long page for three times as long.
   * @throws DomainError `unavailable` when the key reads so much that it is not the page's turn in time
   */
  read<T>(keyId: string | null, read: () => Promise<T>): Promise<T> {
    if (keyId === null) return read();
    let turns = this.#reading.get(keyId);
    if (!turns) this.#reading.set(keyId, (turns = new Turns((tookMs) => this.#restMs(keyId, tookMs))));
    return turns.run(read);
  }

  #restMs(keyId: string, readMs: number): number {
    this.#usage.add(keyId, readMs * THREADS_PART);
    return this.isShared && readMs > SHORT_READ_MS ? Math.min(3 * readMs, LONGEST_REST_MS) : 0;
  }

  #enter(key: string, step: Step): void {
    if (!this.#turn) this.#beginTurn();
    const ofKey = this.#waiting.get(key);
    if (ofKey) ofKey.push(step);
    else if (this.#hasTime() && !this.#isPausing(key)) this.#do(key, step);
    else this.#waiting.set(key, [step]);
  }

  #hasTime(): boolean {
    return this.#steps < STEPS_PER_TURN && performance.now() - this.#turnBegan < TURN_MS;
  }

  /** Whether the key pauses between two of its steps, for the others' sake. */
  #isPausing(key: string): boolean {
    return this.#usage.isDominant(key) && performance.now() < this.#pausesUntil && this.#sharing.isWithin(CONTENDED_MS);
  }

  #do(key: string, step: Step): void {
    this.#steps++;
    const began = performance.now();
    step();
    this.#usage.add(key, performance.now() - began + OVERHEAD_MS);
    if (this.#usage.isDominant(key)) this.#pausesUntil = Infinity;
  }

  #beginTurn(): void {
    clearTimeout(this.#pause);
    this.#steps = 0;
    this.#turnBegan = performance.now();
    this.#turn = setImmediate(() => this.#endTurn());
  }

  /** Runs the steps that waited for this turn to end. The next keys do not wait for the pause of the dominant one. */
  #endTurn(): void {
    this.#turn = null;
    // The pause counts from here, because a stream writes after its step.
    if (this.#pausesUntil === Infinity) this.#pausesUntil = performance.now() + PAUSE_MS;
    this.#usage.look();
    if (this.#waiting.size === 0) return;
    let key = this.#nextKey();
    if (key === undefined) {
      this.#pause = setTimeout(() => this.#endTurn(), this.#pausesUntil - performance.now());
      return;
    }
    this.#beginTurn();
    for (; key !== undefined && this.#hasTime(); key = this.#nextKey()) {
      const ofKey = this.#waiting.get(key)!;
      this.#waiting.delete(key);
      const step = ofKey.shift()!;
      if (ofKey.length > 0) this.#waiting.set(key, ofKey);
      this.#do(key, step);
    }
  }

  #nextKey(): string | undefined {
    for (const key of this.#waiting.keys()) if (!this.#isPausing(key)) return key;
    return undefined;
  }
}

/** Measures which key uses the thread, and how busy the thread is. */
class Usage {
  readonly #usedMs = new Map<string, number>();
  #lookedAt = 0;
  #before: EventLoopUtilization = performance.eventLoopUtilization();
  #dominant: string | null = null;

  /** Whether the thread is busy and this key has most of its time. */
  isDominant(lane: string): boolean {
    return keyOf(lane) === this.#dominant;
  }

  add(lane: string, ms: number): void {
    const key = keyOf(lane);
    this.#usedMs.set(key, (this.#usedMs.get(key) ?? 0) + ms);
  }

  look(): void {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    const utilization = performance.eventLoopUtilization();
    const { utilization: busy } = performance.eventLoopUtilization(utilization, this.#before);
    this.#before = utilization;
    let all = 0;
    let most: [key: string | null, ms: number] = [null, 0];
    for (const [key, ms] of this.#usedMs) {
      all += ms;
      if (ms > most[1]) most = [key, ms];
      if (ms < FORGOTTEN_MS) this.#usedMs.delete(key);
      else this.#usedMs.set(key, ms * MEMORY);
    }
    const isBusy = busy > (this.#dominant === null ? BUSY : STILL_BUSY);
    this.#dominant = isBusy && most[1] > DOMINANT * all ? most[0] : null;
  }
}

/** A process has one thread and so one queue. */
export const FAIR_QUEUE = new FairQueue();
