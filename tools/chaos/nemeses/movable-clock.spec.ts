import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { movableClock, works, type ClockKind } from './movable-clock.js';

const KINDS: ClockKind[] = ['libfaketime', 'injected Date'];

test.each(KINDS.filter(works))('by %s the clock of a running process is put wrong and right again', async (kind) => {
  const folder = mkdtempSync(join(tmpdir(), 'token-pool-clock-'));
  const clock = movableClock(kind, join(folder, 'clock'));
  const program = 'setInterval(() => console.log(Date.now(), new Date().getTime()), 50)';
  const child = spawn(process.execPath, ['-e', program], { env: { ...process.env, ...clock.env } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const untilOffBy = async (seconds: number): Promise<void> => {
    for (;;) {
      const told = String((await lines.next()).value)
        .split(' ')
        .map(Number);
      if (told.every((time) => Math.abs(time - Date.now() - seconds * 1000) < 30_000)) return;
    }
  };
  try {
    for (const seconds of [0, 600, -600, 0]) {
      clock.move(seconds);
      await untilOffBy(seconds);
    }
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});

test('one kind works everywhere', () => {
  expect(works('injected Date')).toBe(true);
});
