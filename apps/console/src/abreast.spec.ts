import { abreast } from './abreast.js';

test('does everything once, twenty at a time', async () => {
  const done: number[] = [];
  let [underWay, most] = [0, 0];
  await abreast(50, async (index) => {
    most = Math.max(most, ++underWay);
    await Promise.resolve();
    underWay--;
    done.push(index);
  });
  expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(most).toBe(20);
});

test('after a stop begins no more work and waits for the rest', async () => {
  const stop = new AbortController();
  let [begun, done] = [0, 0];
  await abreast(
    300,
    async () => {
      if (++begun === 64) stop.abort();
      await Promise.resolve();
      done++;
    },
    stop.signal,
  );
  expect(begun).toBeLessThan(64 + 20);
  expect(done).toBe(begun);
});

test('after the first failure begins no more work', async () => {
  let begun = 0;
  const work = (): Promise<void> => (++begun === 3 ? Promise.reject(new Error('refused')) : Promise.resolve());
  await expect(abreast(300, work)).rejects.toThrow('refused');
  expect(begun).toBeLessThan(300);
});
