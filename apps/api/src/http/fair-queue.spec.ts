import type { Request, Response } from 'express';
import { FairQueue } from './fair-queue.js';

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Requests of one key: each says in the list when it begins. */
const ask = (queue: FairQueue, key: string, times: number, begun: string[]): void => {
  const req = { key: { id: key } } as unknown as Request;
  for (let time = 0; time < times; time++) queue.handle(req, {} as Response, () => begun.push(`${key}${time}`));
};

const ofKey = (begun: readonly string[], key: string): string[] => begun.filter((one) => one.startsWith(key));

describe('FairQueue', () => {
  it('lets one key that asks alone begin at once, however much it asks', () => {
    const begun: string[] = [];
    ask(new FairQueue(), 'a', 500, begun);
    expect(begun).toHaveLength(500);
  });

  it('lets nothing wait where no key is asked for', () => {
    const queue = new FairQueue();
    const begun: string[] = [];
    for (let time = 0; time < 500; time++) queue.enter(undefined, () => begun.push(''));
    expect(begun).toHaveLength(500);
  });

  it('lets another key begin in the next turn, however many of one key wait', async () => {
    const queue = new FairQueue();
    const begun: string[] = [];
    ask(queue, 'b', 1, begun);
    ask(queue, 'a', 500, begun);
    ask(queue, 'b', 2, begun);
    expect(ofKey(begun, 'b')).toHaveLength(1);
    await nextTurn();
    expect(ofKey(begun, 'b').length).toBeGreaterThan(1);
    expect(begun.length).toBeLessThan(50);
  });

  it('loses none, and keeps the order of each key', async () => {
    const queue = new FairQueue();
    const begun: string[] = [];
    for (let time = 0; time < 10; time++) {
      ask(queue, 'a', 10, begun);
      ask(queue, 'b', 10, begun);
    }
    while (begun.length < 200) await nextTurn();
    const inOrder = (key: string): string[] => Array.from({ length: 100 }, (_, n) => `${key}${n % 10}`);
    expect(ofKey(begun, 'a')).toEqual(inOrder('a'));
    expect(ofKey(begun, 'b')).toEqual(inOrder('b'));
  });

  it('lets hundreds of streams write in many turns, also while nobody else asks, and a request between them', async () => {
    const queue = new FairQueue();
    let written = 0;
    for (let stream = 0; stream < 500; stream++) void queue.turn('a').then(() => written++);
    await nextTurn();
    const begun: string[] = [];
    ask(queue, 'a', 1, begun);
    await nextTurn();
    await nextTurn();
    expect(begun).toHaveLength(1);
    expect(written).toBeLessThan(100);
    while (written < 500) await nextTurn();
  });

  it('leaves turns of the event loop to everything else', async () => {
    const queue = new FairQueue();
    const begun: string[] = [];
    ask(queue, 'b', 1, begun);
    ask(queue, 'a', 100, begun);
    let turns = 0;
    for (; begun.length < 101; turns++) await nextTurn();
    expect(turns).toBeGreaterThan(20);
  });

  describe('on a thread that is busy with one key', () => {
    // A pause would never end: only turns of the event loop pass.
    beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance', 'queueMicrotask'] }));
    afterEach(() => void jest.useRealTimers());

    const spin = (ms: number): void => {
      for (const end = performance.now() + ms; performance.now() < end;);
    };

    /**
     * Lets 60 streams of key a write for 5 ms each, within 300 turns.
     * @param onTurn called in each turn
     * @returns how many wrote
     */
    async function written(queue: FairQueue, onTurn: () => void = () => undefined): Promise<number> {
      let streams = 0;
      for (let stream = 0; stream < 60; stream++)
        void queue.turn('a').then(() => {
          spin(5);
          streams++;
        });
      for (let turn = 0; turn < 300 && streams < 60; turn++) {
        onTurn();
        await nextTurn();
      }
      return streams;
    }

    /** @returns a function that lets key b send a request every 50 ms */
    function asking(queue: FairQueue, begun: string[]): () => void {
      let askedAt = -Infinity;
      return () => {
        if (performance.now() < askedAt + 50) return;
        askedAt = performance.now();
        ask(queue, 'b', 1, begun);
      };
    }

    it('lets it pause while another key asks, whose requests begin meanwhile', async () => {
      const queue = new FairQueue();
      const begun: string[] = [];
      ask(queue, 'a', 1, []);
      expect(await written(queue, asking(queue, begun))).toBeLessThan(60);
      const before = begun.length;
      ask(queue, 'b', 3, begun);
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      expect(begun).toHaveLength(before + 3);
    });

    it('lets no other key pause that sends more requests, but takes less of the time', async () => {
      // A read that took long on a busy machine is followed by a rest, which must end.
      jest.useRealTimers();
      const queue = new FairQueue();
      const begun: string[] = [];
      let late = 0;
      for (let time = 1; time <= 100; time++) {
        await queue.read('a', () => Promise.resolve(spin(4)));
        ask(queue, 'a', time % 10 === 0 ? 1 : 0, []);
        ask(queue, 'b', 2, begun);
        await nextTurn();
        await nextTurn();
        if (begun.length < 2 * time) late++;
      }
      expect(late).toBeLessThan(10);
    });

    it('lets it go on as soon as the other key no longer asks', async () => {
      const queue = new FairQueue();
      ask(queue, 'a', 1, []);
      ask(queue, 'b', 1, []);
      spin(110);
      expect(await written(queue)).toBe(60);
    });

    it('lets it go on while nobody else asks', async () => {
      expect(await written(new FairQueue())).toBe(60);
    });
  });
});
