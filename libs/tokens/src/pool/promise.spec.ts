// A line that is served strictly in order, in discrete time: is every promise kept? Everybody behaves at random: claims
// early, late or never, ends the lease early or holds it to its hard end, gives up.

import { promise, promises, USABLE_AT_ONCE, usableAfter, type Expected, type Place } from './promise.js';

interface Use {
  readonly waiter: Waiter;
  /** The latest end, as far as the pool knows. */
  hard: number;
  claimsAt: number;
  endsAt: number;
}
interface Thing {
  readonly tag: number;
  use: Use | null;
  freeAt: number;
}
interface Waiter extends Place<Thing> {
  readonly since: number;
  readonly claim: number;
  readonly hold: number;
  promised: number | null;
}
interface Kind {
  readonly load: number;
  readonly afterUse?: true;
  readonly several?: true;
  readonly select?: true;
  readonly ownTimes?: true;
  /** Everybody claims at the last moment, and holds to the hard end. */
  readonly slow?: true;
}
interface Kept {
  waits: number;
  broken: number;
  tight: number;
}

function play(seed: number, kind: Kind, steps: number): Kept {
  let state = (seed * 2654435761) >>> 0;
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (below: number): number => Math.floor(random() * below);
  const afterUse = kind.afterUse ? { cooldown: whole(10), cleaning: whole(5) } : USABLE_AT_ONCE;
  const things: Thing[] = Array.from({ length: 1 + whole(10) }, (_, n) => ({ tag: n % 3, use: null, freeAt: 0 }));
  const [hold, claim] = [5 + whole(50), 1 + whole(5)];
  const kept: Kept = { waits: 0, broken: 0, tight: 0 };
  let [now, line]: [number, Waiter[]] = [0, []];

  const expected = (): Expected<Thing>[] =>
    things.map((token) => ({
      token,
      freeAt: token.use ? usableAfter(token.use.hard, afterUse) : Math.max(now, token.freeAt),
    }));
  const wants = ({ wants: isWanted }: Waiter, thing: Thing): boolean => isWanted === null || isWanted(thing);
  const serve = (): void => {
    const ahead: Waiter[] = [];
    for (const waiter of line) {
      const free = things
        .filter((thing) => !thing.use && thing.freeAt <= now && wants(waiter, thing))
        .filter((thing) => !ahead.some((other) => wants(other, thing)))
        .sort(() => random() - 0.5);
      if (free.length < waiter.count) {
        ahead.push(waiter);
        continue;
      }
      const claims = kind.slow ?? random() < 0.8;
      const claimsAt = claims ? now + (kind.slow ? waiter.claim : whole(waiter.claim + 1)) : Infinity;
      for (const thing of free.slice(0, waiter.count)) {
        const held = kind.slow || random() < 0.5 ? waiter.hold : whole(waiter.hold);
        const endsAt = claims ? claimsAt + held : now + waiter.claim;
        thing.use = { waiter, hard: now + waiter.claim + waiter.hold, claimsAt, endsAt };
      }
      if (now === waiter.since || waiter.promised === null) continue;
      kept.waits++;
      if (now > waiter.promised) kept.broken++;
      if (now === waiter.promised) kept.tight++;
    }
    line = ahead;
  };

  for (let step = 0; step < steps; step++) {
    const next = Math.min(
      ...things.map(({ use, freeAt }) => {
        if (use) return Math.min(use.claimsAt > now ? use.claimsAt : Infinity, use.endsAt);
        return freeAt > now ? freeAt : Infinity;
      }),
    );
    const arrival = now + Math.ceil((random() * (hold + claim) * kind.load) / things.length);
    if (arrival <= next && line.length < 60) {
      now = arrival;
      const tag = whole(3);
      const isAny = !kind.select || random() < 0.5 || !things.some((thing) => thing.tag === tag);
      const own = kind.ownTimes ? { hold: 5 + whole(50), claim: 1 + whole(5) } : { hold, claim };
      const waiter: Waiter = {
        ...own,
        since: now,
        count: kind.several ? 1 + whole(Math.min(3, things.length)) : 1,
        keeps: own.claim + own.hold,
        wants: isAny ? null : (thing) => thing.tag === tag,
        promised: null,
      };
      waiter.promised = promise(now, expected(), line, waiter, afterUse);
      line.push(waiter);
      // Not the head of the line, so that these wait for it, too.
      if (!kind.slow && random() < 0.1) line.splice(whole(line.length), 1);
    } else if (next < Infinity) {
      now = next;
      for (const thing of things) {
        const { use } = thing;
        if (use?.claimsAt === now) use.hard = now + use.waiter.hold;
        if (!use || use.endsAt > now) continue;
        thing.use = null;
        thing.freeAt = usableAfter(now, afterUse);
      }
    }
    serve();
  }
  return kept;
}

const KINDS: [string, Kind][] = [
  ['one token each', { load: 1 }],
  ['a time after each use', { load: 1, afterUse: true }],
  ['one to three tokens at once', { load: 2, several: true, afterUse: true }],
  ['certain tokens', { load: 1, select: true, afterUse: true }],
  ['times of their own', { load: 1, ownTimes: true, afterUse: true }],
  ['times of their own, several tokens', { load: 2, ownTimes: true, several: true }],
  ['times of their own, certain tokens', { load: 1, ownTimes: true, select: true, afterUse: true }],
  ['all of it', { load: 2, ownTimes: true, select: true, several: true, afterUse: true }],
];

let waits = 0;
test.each(KINDS)('keeps every promise to those who want %s', (_, kind) => {
  const all: Kept = { waits: 0, broken: 0, tight: 0 };
  for (let seed = 1; seed <= 200; seed++) {
    const kept = play(seed, kind, 400);
    for (const key of ['waits', 'broken', 'tight'] as const) all[key] += kept[key];
  }
  waits += all.waits;
  expect(all.broken).toBe(0);
});

test('has tried more than 100,000 waits', () => expect(waits).toBeGreaterThan(100_000));

test.each([KINDS[0]!, KINDS[1]!, KINDS[2]!, KINDS[4]!])(
  'promises nothing too late where everybody takes all the time there is: %s',
  (_, kind) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { waits, tight } = play(seed, { ...kind, slow: true }, 200);
      expect(tight).toBe(waits);
    }
  },
);

const soon = (freeAt: number): Expected<number> => ({ token: freeAt, freeAt });
const any = (count = 1, keeps = 10): Place<number> => ({ count, keeps, wants: null });
const only = (token: number, count = 1): Place<number> => ({ count, keeps: 10, wants: (one) => one === token });

describe('without a proof there is no promise', () => {
  it('where the lease that ends next has no hard end', () => {
    expect(promise(0, [soon(5), soon(Infinity)], [], any())).toBe(5);
    expect(promise(0, [soon(5), soon(Infinity)], [], any(2))).toBeNull();
    expect(promise(0, [soon(5)], [any(1, Infinity)], any())).toBeNull();
  });
  it('where there are fewer tokens than are asked for, here or ahead', () => {
    expect(promise(0, [soon(5)], [], any(2))).toBeNull();
    expect(promise(0, [soon(5)], [any(2)], any())).toBeNull();
  });
  it('where some want several tokens and some want certain ones', () => {
    expect(promise(0, [soon(5), soon(6)], [any(2)], only(5))).toBeNull();
    expect(promise(0, [soon(5), soon(6)], [only(5)], any(2))).toBeNull();
  });
  it('where cleaning has no limit', () => {
    const afterUse = { cooldown: 0, cleaning: Infinity };
    expect(promise(0, [soon(5)], [], any(), afterUse)).toBe(5);
    expect(promise(0, [soon(5)], [any()], any(), afterUse)).toBeNull();
  });
});

it('does not count those ahead who want other tokens', () =>
  expect(promise(0, [soon(5), soon(6)], [only(6)], only(5))).toBe(5));

it('leaves out the tokens that a pool deletes because it shrinks', () =>
  expect(promise(0, [soon(5), soon(6), soon(9)], [], any(), USABLE_AT_ONCE, 2)).toBe(9));

it('gives the promises of a whole line as one by one', () => {
  const tokens = [soon(3), soon(8), soon(9)];
  expect(promises(0, tokens, [any(2), any(), any(3)])).toEqual([8, 9, 19]);
  expect(promises(0, tokens, [only(8), any(), any()])).toEqual([8, 8, 9]);
});
