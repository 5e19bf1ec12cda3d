import { HealthController } from './health.controller.js';
import { Readiness } from './readiness.js';

class Looks extends Readiness {
  count = 0;
  found: string | null = null;

  override obstacle(): Promise<string | null> {
    this.count++;
    return Promise.resolve(this.found);
  }

  override warning(): Promise<string | null> {
    return Promise.resolve(null);
  }
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('all readiness requests within a second share one look at the database', async () => {
  const looks = new Looks();
  const health = new HealthController(looks);
  await Promise.all(Array.from({ length: 100 }, () => health.ready()));
  await health.ready();
  expect(looks.count).toBe(1);
  await jest.advanceTimersByTimeAsync(1000);
  looks.found = 'the database cannot be reached in time';
  await expect(health.ready()).rejects.toThrow(looks.found);
  await expect(health.ready()).rejects.toThrow(looks.found);
  expect(looks.count).toBe(2);
  await jest.advanceTimersByTimeAsync(1000);
  looks.found = null;
  expect(await health.ready()).toEqual({ status: 'ok' });
});
