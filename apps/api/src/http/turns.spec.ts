import { Turns } from './turns.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Reads that end when they are told to. */
function reads(turns: Turns) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const read = (name: string): Promise<string> =>
    turns
      .run(() => {
        begun.push(name);
        return new Promise<void>((resolve) => ends.set(name, resolve));
      })
      .then(
        () => 'read',
        (error: { code: string }) => error.code,
      );
  return { begun, read, end: (name: string) => ends.get(name)?.() };
}

const passes = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

test('reads of a key begin one after the other, in their order', async () => {
  const { begun, read, end } = reads(new Turns(() => 0));
  const all = ['a', 'b', 'c'].map(read);
  await passes(0);
  expect(begun).toEqual(['a']);
  end('a');
  await passes(0);
  expect(begun).toEqual(['a', 'b']);
  end('b');
  await passes(0);
  end('c');
  expect(await Promise.all(all)).toEqual(['read', 'read', 'read']);
});

test('a read rests before the next one', async () => {
  const { begun, read, end } = reads(new Turns((tookMs) => 3 * tookMs));
  void ['a', 'b'].map(read);
  await passes(100);
  end('a');
  await passes(299);
  expect(begun).toEqual(['a']);
  await passes(2);
  expect(begun).toEqual(['a', 'b']);
});

test('a read that waits for the database holds up no other one for long', async () => {
  const { begun, read, end } = reads(new Turns(() => 0));
  const all = ['stalled', 'b', 'c'].map(read);
  await passes(999);
  expect(begun).toEqual(['stalled']);
  await passes(1);
  expect(begun).toEqual(['stalled', 'b']);
  end('b');
  await passes(0);
  expect(begun).toEqual(['stalled', 'b', 'c']);
  end('stalled');
  end('c');
  expect(await Promise.all(all)).toEqual(['read', 'read', 'read']);
});

test('a read whose turn does not come in time is refused, and takes no turn of another', async () => {
  const { begun, read, end } = reads(new Turns(() => 0));
  const stalled = ['s1', 's2', 's3'].map(read);
  const late = read('late');
  const last = passes(500).then(() => read('last'));
  await passes(3000);
  expect(await late).toBe('unavailable');
  expect(begun).toEqual(['s1', 's2', 's3', 'last']);
  for (const name of ['s1', 's2', 's3', 'last']) end(name);
  expect(await Promise.all([...stalled, last])).toEqual(Array(4).fill('read'));
});
