// Plays a day at a counter over HTTP against a running service, in pools of its own with short leases. At the end folds
// the feeds and proves that the result equals what the service shows.

import { setTimeout as pause } from 'node:timers/promises';
import { withoutSecrets } from '@app/keys';
import { asStored, Auditor, type TokenView } from '@app/tokens';
import { HELP, serviceUrl } from './arguments.js';
import { Names, Service, type Answer } from './counter.js';
import { Timeline } from './timeline.js';

const LEASE_SECONDS = 1.5;

const service = new Service(urlOrEnd());
const names = new Names();
const timeline = new Timeline(names);
const today = Date.now().toString(36);
const DESKS = `desks-${today}`;
const ROOMS = `rooms-${today}`;

function urlOrEnd(): string {
  try {
    const url = serviceUrl(process.argv.slice(2), process.env);
    if (url !== null) return url;
    console.log(HELP);
    process.exit();
  } catch (error) {
    console.error(`${(error as Error).message}; npm run demo -- --help says more`);
    process.exit(2);
  }
}

/** A lease of a person, which may be over. */
interface Held {
  readonly who: string;
  readonly tokenId: string;
  readonly leaseId: string;
}

async function take(who: string, pool: string): Promise<Held | null> {
  const { status, body } = await service.ask('POST', '/api/tokens/allocate', { user_id: names.idOf(who), pool });
  if (status !== 200) {
    timeline.say(`${who} asks for one and is refused: ${reasonOf(body)}`);
    return null;
  }
  const evicted = body['evicted'] as { user_id: string } | null;
  const from = evicted ? `, for which ${names.user(evicted.user_id)} had to go` : '';
  timeline.say(`${who} takes ${names.token(body['token_id'])}${from}`);
  return { who, tokenId: String(body['token_id']), leaseId: String(body['lease_id']) };
}

async function say(what: string, held: Held, work: Promise<Answer>): Promise<Answer> {
  const answer = await work;
  const refused = answer.status === 200 ? '' : ` and hears: ${reasonOf(answer.body)}`;
  timeline.say(`${held.who} ${what} ${names.token(held.tokenId)}${refused}`);
  return answer;
}

const release = (held: Held) =>
  say('gives back', held, service.ask('POST', `/api/tokens/${held.tokenId}/release`, { lease_id: held.leaseId }));

const keepAlive = (held: Held) =>
  say('keeps alive', held, service.ask('POST', `/api/tokens/${held.tokenId}/keep-alive`, { lease_id: held.leaseId }));

const generate = async (): Promise<void> => {
  const { status, body } = await service.ask('POST', '/api/tokens', { pool: ROOMS });
  timeline.say(status === 201 ? `the house opens ${names.token(body['id'])}` : `no more: ${reasonOf(body)}`);
};

const reasonOf = (body: Record<string, unknown>): string => `${String(body['error'])} (${String(body['detail'])})`;

const told = new Map<string, number>();
/** Prints the events that the audit has recorded in a pool since the last call. */
async function tell(pool: string): Promise<void> {
  const events = await service.feed(pool, told.get(pool) ?? 0);
  timeline.record(events);
  told.set(pool, events.at(-1)?.seq ?? told.get(pool) ?? 0);
}

async function open(): Promise<void> {
  timeline.scene(`The doors open: five desks (leases of ${LEASE_SECONDS} s, the oldest goes when all are taken)`);
  await mustBe(
    201,
    service.ask('POST', '/api/pools', { name: DESKS, kind: 'fixed', size: 5, ttl_seconds: LEASE_SECONDS }),
  );
  await tell(DESKS);
}

async function morning(): Promise<void> {
  timeline.scene('A quiet morning: people come, take, and give back');
  const ann = await take('Ann', DESKS);
  const ben = await take('Ben', DESKS);
  if (ann) await release(ann);
  await take('Cleo', DESKS);
  if (ben) await release(ben);
  await tell(DESKS);
  timeline.scene('Cleo forgets hers: nobody has to remember it');
  await pause(LEASE_SECONDS * 1000 + 100);
  const { counts } = await service.pool(DESKS);
  timeline.say(`all ${counts.available} of ${counts.total} desks are free again, at Cleo's deadline`);
  await take('Dan', DESKS);
  await tell(DESKS);
}

async function rush(): Promise<void> {
  timeline.scene('The rush at noon: nine people at once, five desks');
  const people = ['Eve', 'Finn', 'Gus', 'Hana', 'Ida', 'Jon', 'Kim', 'Lea', 'Max'];
  const held = await Promise.all(people.map((who) => take(who, DESKS)));
  await tell(DESKS);
  timeline.scene('The first of them comes back too late');
  if (held[0]) await release(held[0]);
}

async function rooms(): Promise<void> {
  timeline.scene('Rooms are opened as they are needed: three at most, kept by those who say so, closed when idle');
  const pool = { name: ROOMS, kind: 'elastic', size: 3, ttl_seconds: LEASE_SECONDS, idle_ttl_seconds: 2 };
  await mustBe(201, service.ask('POST', '/api/pools', pool));
  for (let i = 0; i < 4; i++) await generate();
  const nia = await take('Nia', ROOMS);
  await take('Oli', ROOMS);
  await take('Pia', ROOMS);
  await take('Quin', ROOMS);
  await tell(ROOMS);
  timeline.scene('Nia stays and says so; Oli and Pia just leave');
  for (let i = 0; i < 3 && nia; i++) {
    await pause(LEASE_SECONDS * 600);
    await keepAlive(nia);
  }
  await take('Quin', ROOMS);
  if (nia) await release(nia);
  await tell(ROOMS);
}

async function evening(): Promise<void> {
  timeline.scene('Closing time: all who are left are shown out');
  for (const pool of [DESKS, ROOMS]) {
    const { body } = await service.ask('POST', '/api/tokens/cleanup', { pool });
    timeline.say(`${pool}: ${String(body['released'])} leases ended by cleanup`);
    await tell(pool);
  }
}

/** Reads a pool's feed from the beginning, checks every rule, and compares the fold with what is shown. */
async function prove(pool: string): Promise<boolean> {
  const { size } = await service.pool(pool);
  const auditor = new Auditor(size);
  // The tokens must be those after the last event of the feed, so this reads again when new events come meanwhile.
  let tokens: TokenView[];
  do {
    for (const event of await service.feed(pool, auditor.events)) auditor.add(asStored(event));
    tokens = await service.tokens(pool);
  } while ((await service.pool(pool)).last_seq > auditor.events);
  // Every lease is over by now, so any later instant is right.
  const wrong = [...auditor.finish(), ...auditor.compare(tokens, Infinity)];
  const isRight = wrong.length === 0;
  timeline.say(
    `${isRight ? '✔' : '✘'} ${pool}: ${auditor.events} events fold to ${auditor.tokens} tokens and ${auditor.openLeases} leases, ` +
      `${isRight ? 'just as the service shows them; every rule was kept' : 'and that is not what the service shows'}`,
  );
  for (const what of wrong) timeline.say(`  ${what}`);
  return isRight;
}

async function mustBe(status: number, asked: Promise<Answer>): Promise<void> {
  const answer = await asked;
  if (answer.status !== status) throw new Error(`the service answered ${answer.status}: ${reasonOf(answer.body)}`);
}

try {
  await open();
  await morning();
  await rush();
  await rooms();
  await evening();
  timeline.scene('The proof: the audit alone tells the whole story');
  const proofs = [await prove(DESKS), await prove(ROOMS)];
  process.exitCode = proofs.every(Boolean) ? 0 : 1;
} catch (error) {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
  const hint = cause?.code === 'ECONNREFUSED' ? ` Is it running? Start it with: npm start` : '';
  // The URL may hold a password, even a malformed one.
  const where = URL.canParse(service.url) ? new URL(service.url).origin : 'a URL that is malformed';
  const message = error instanceof Error ? error.message : String(error);
  console.error(withoutSecrets(`The demo stopped at ${where}: ${message}.${hint}`));
  process.exitCode = 1;
}
