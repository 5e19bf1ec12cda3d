import { OneAtATime } from './one-at-a-time.js';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

const LATE = new Error('too late');
const make = (): OneAtATime => new OneAtATime(1000, () => LATE);

/** Work that goes on until it is told to end. */
function open(): { promise: Promise<string>; end: (result: string) => void; fail: (error: Error) => void } {
  let [end, fail]: [(result: string) => void, (error: Error) => void] = [() => undefined, () => undefined];
  const promise = new Promise<string>((resolve, reject) => ([end, fail] = [resolve, reject]));
  return { promise, end, fail };
}

test('work of one name is done one after the other, in the order of asking; work of another name meanwhile', async () => {
  const oneAtATime = make();
  const begun: string[] = [];
  const begin = (what: string, work: Promise<string>) => () => {
    begun.push(what);
    return work;
  };
  const [first, second] = [open(), open()];
  const answers = [
    oneAtATime.run('p', begin('first', first.promise)),
    oneAtATime.run('p', begin('second', second.promise)),
    oneAtATime.run('p', begin('third', Promise.resolve('3'))),
    oneAtATime.run('q', begin('other', Promise.resolve('4'))),
  ];
  expect(await answers[3]).toBe('4');
  expect(begun).toEqual(['first', 'other']);
  first.end('1');
  expect(await answers[0]).toBe('1');
  await Promise.resolve();
  expect(begun).toEqual(['first', 'other', 'second']);
  second.end('2');
  expect(await Promise.all(answers)).toEqual(['1', '2', '3', '4']);
  expect(begun).toEqual(['first', 'other', 'second', 'third']);
});

test('work that fails fails alone', async () => {
  const oneAtATime = make();
  const first = open();
  const failing = oneAtATime.run('p', () => first.promise);
  const next = oneAtATime.run('p', async () => 'done');
  first.fail(new Error('broken'));
  await expect(failing).rejects.toThrow('broken');
  expect(await next).toBe('done');
});

test('whoever waited for too long is refused and never begins, and those behind do', async () => {
  const oneAtATime = make();
  const first = open();
  const done = oneAtATime.run('p', () => first.promise);
  const never = jest.fn(async () => 'never');
  const refused = expect(oneAtATime.run('p', never)).rejects.toBe(LATE);
  jest.advanceTimersByTime(900);
  const behind = oneAtATime.run('p', async () => 'behind');
  jest.advanceTimersByTime(200);
  await refused;
  first.end('first');
  expect(await Promise.all([done, behind])).toEqual(['first', 'behind']);
  expect(never).not.toHaveBeenCalled();
});
