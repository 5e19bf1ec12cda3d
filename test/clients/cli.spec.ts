// The command line as people and programs use it, as a process against the real app.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TokenPoolClient, type PoolHandle, type TokenEvent } from '../../libs/client/src/index.js';
import { A_TIME, A_UUID, type Json } from '../http/client.js';
import { startApp, type TestApp } from '../support/app.js';
import { createTestDatabase } from '../support/database.js';
import { paced } from '../support/pace.js';
import { build, killServices, startService } from '../support/process.js';
import { buildCli, killPrograms, startTokenpool, type Program } from '../support/tokenpool.js';

const ROOT = join(__dirname, '../..');
const NOBODY = '99999999-9999-4999-8999-999999999999';
/** A URL at which no server listens. */
let nowhere: string;
const UUIDS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const TIMES = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;

let app: TestApp;
let client: TokenPoolClient;
beforeAll(async () => {
  await buildCli();
  const gone = await startApp();
  nowhere = gone.url;
  await gone.close();
  app = await startApp({ SECRETS_KEY: Buffer.alloc(32, 1).toString('base64') });
  client = new TokenPoolClient(app.url);
});
afterAll(async () => {
  killPrograms();
  await app.close();
});

const start = (args: readonly string[], env?: Record<string, string>, input?: string): Program =>
  startTokenpool(app.url, args, env, input);

const tokenpool = (...args: string[]): Program['over'] => start(args).over;

/** The lines of JSON that a command prints. */
async function json(...args: string[]): Promise<Json[]> {
  const { code, out, err } = await tokenpool(...args, '--json');
  expect([code, err]).toEqual([0, '']);
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The lines that a command prints for people, without the parts that differ from run to run. */
async function printedLines(...args: string[]): Promise<string[]> {
  const { code, out, err } = await tokenpool(...args);
  expect([code, err]).toEqual([0, '']);
  return out.trim().split('\n').map(alike);
}

const alike = (line: string): string => line.replace(UUIDS, '<id>').replace(TIMES, '<time>').replace(/ {2,}/g, '  ');

let pools = 0;
async function pool(policy: Partial<Parameters<TokenPoolClient['createPool']>[0]> = {}): Promise<PoolHandle> {
  const name = `cli-${++pools}`;
  await client.createPool({ name, kind: 'fixed', size: 1, ttl_seconds: 60, on_exhausted: 'reject', ...policy });
  return client.pool(name);
}

async function feedOf(pool: PoolHandle): Promise<TokenEvent[]> {
  const events: TokenEvent[] = [];
  for await (const event of pool.feed()) events.push(event);
  return events;
}

const happened = async (pool: PoolHandle): Promise<string[]> =>
  (await feedOf(pool)).map(({ event, reason }) => (reason ? `${event} ${reason}` : event)).slice(1);

describe('for people', () => {
  test('allocate, show, keep-alive, release and history print a lease from its beginning to its end', async () => {
    const { name } = await pool({ renewable: true });
    expect(await printedLines('allocate', '--pool', name, '--user', NOBODY, '--ttl', '30')).toEqual([
      'token  <id>',
      'user  <id>',
      'lease  <id>',
      'fence  1',
      'since  <time>',
      'until  <time>',
    ]);
    const [{ id }] = (await json('list', '--pool', name)) as [Json];
    expect(await printedLines('show', id)).toEqual([
      'token  <id>',
      `pool  ${name}`,
      'status  active',
      'fence  1',
      'user  <id>',
      'since  <time>',
      'until  <time>',
      'last use  <time>',
    ]);
    expect(await printedLines('keep-alive', id, '--user', NOBODY)).toEqual(['token <id> is held until <time>']);
    expect(await printedLines('list', '--pool', name, '--status', 'active')).toEqual([
      'TOKEN  STATUS  FENCE  USER  UNTIL',
      '<id>  active  1  <id>  <time>',
    ]);
    expect(await printedLines('release', id, '--fence', '1')).toEqual(['token <id> is available']);
    expect(await printedLines('history', id)).toEqual([
      'FENCE  USER  SINCE  UNTIL  ENDED BY',
      '1  <id>  <time>  <time>  released_by_client',
    ]);
    expect(await printedLines('events', id, '--limit', '2')).toEqual([
      'SEQ  WHEN  EVENT  REASON  FENCE  TOKEN  USER',
      '4  <time>  released  released_by_client  1  <id>  <id>',
      expect.stringMatching(/^3 {2}<time> {2}renewed /),
    ]);
    expect((await printedLines('events', '--pool', name, '--after', '1')).slice(1)).toEqual([
      '2  <time>  activated  allocated  1  <id>  <id>',
      expect.stringMatching(/^3 /),
      expect.stringMatching(/^4 /),
    ]);
    expect((await printedLines('pools', name)).slice(1)).toEqual([
      `${name}  fixed  1  0  1  60 s, renewable  reject  4`,
    ]);
    expect(await printedLines('allocate', '--pool', name)).toHaveLength(6);
    expect(await printedLines('cleanup', '--pool', name)).toEqual([`1 lease of ${name} ended`]);
  });

  test('allocate names the lease that it has evicted', async () => {
    const { name } = await pool({ on_exhausted: 'evict_oldest' });
    await client.pool(name).allocate();
    expect(await printedLines('allocate', '--pool', name)).toContain('evicted  user <id> (fence 1)');
  });

  test('generate and delete change the tokens of an elastic pool', async () => {
    const { name } = await pool({ kind: 'elastic', size: 2 });
    expect(await printedLines('generate', '--pool', name)).toEqual(['token <id> is available']);
    const { token_id } = await client.pool(name).allocate();
    expect(await tokenpool('delete', token_id)).toMatchObject({ code: 1, err: expect.stringMatching(/token_in_use/) });
    expect(await printedLines('delete', token_id, '--force')).toEqual(['token <id> is deleted']);
  });

  test('a table aligns its columns with their titles', async () => {
    const { out } = await tokenpool('list', '--limit', '3');
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    const at = lines[0]!.indexOf('STATUS');
    expect(lines.slice(1).map((line) => line.slice(at - 2, at + 9))).toEqual(Array(3).fill('  available'));
  });
});

describe('for programs', () => {
  test('--json prints the responses of the API, and a list as one object a line', async () => {
    const { name } = await pool({ size: 3 });
    const [grant] = (await json('allocate', '--pool', name, '--metadata', '{"ticket":"A-1"}')) as [Json];
    expect(grant).toMatchObject({ token_id: A_UUID, lease_id: A_UUID, fence: 1, expires_at: A_TIME, evicted: null });
    expect(await json('list', '--pool', name, '--limit', '2')).toHaveLength(2);
    const events = await json('events', '--pool', name);
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect(events[3]).toMatchObject({ metadata: { ticket: 'A-1' } });
    expect(await json('release', grant.token_id, '--lease', grant.lease_id)).toEqual([
      { ok: true, token_id: grant.token_id, status: 'available' },
    ]);
    expect(await json('cleanup', '--pool', name)).toEqual([{ released: 0 }]);
    expect((await json('pools')).map((one) => one.name)).toEqual(expect.arrayContaining(['default', 'elastic', name]));
  });

  test('--json prints the problem document of a refusal on stderr, with exit code 1', async () => {
    const { code, out, err } = await tokenpool('show', NOBODY, '--json');
    expect([code, out]).toEqual([1, '']);
    expect(JSON.parse(err)).toMatchObject({ error: 'token_not_found', status: 404 });
  });

  test('a reader that closes the pipe causes no error', async () => {
    const program = start(['list']);
    program.child.stdout!.destroy();
    expect(await program.over).toMatchObject({ code: 0, err: '' });
  });
});

describe('a failure', () => {
  test('of the service is one line on stderr, with exit code 1', async () => {
    expect(await tokenpool('allocate', '--pool', 'nowhere')).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(/^tokenpool: pool_not_found: .*nowhere.*\n$/),
    });
  });

  test('of the connection has exit code 3', async () => {
    expect(await tokenpool('pools', '--url', nowhere, '--timeout', '0.2')).toEqual({
      code: 3,
      out: '',
      err: `tokenpool: ${nowhere} cannot be reached: ECONNREFUSED\n`,
    });
  });

  test.each([
    [['allocate', '--ttl', 'soon'], /--ttl is "soon"; allowed is a number of seconds/],
    [['allocate', '--metadata', '[1]'], /--metadata is .*; allowed is a JSON object/],
    [
      ['allocate', '--metadata', '{"id":9007199254740993}'],
      /--metadata .*the number 9007199254740993 would be changed/,
    ],
    [['allocate', '--metadata', '{"a":1,"a":2}'], /--metadata .*"a" is there twice/],
    [['allocate', 'seat'], /"seat" is not an option/],
    [['release'], /TOKEN is missing/],
    [['release', 'a', 'b'], /"b" is too much/],
    [['release', 'a', '--fence', '0'], /--fence is "0"; allowed is a whole number from 1/],
    [['keep-alive', 'a'], /--lease or --user is missing/],
    [['list', '--status', 'free'], /--status is "free"; allowed are all, available, active/],
    [['list', '--colour'], /--colour/],
    [['events', 'a', '--after', '3'], /--after is of a pool/],
    [['list', '--', 'x'], /-- is for run and clean only/],
    [['list', '--url', 'localhost:4000'], /the URL of the service .*; allowed is one such as .*--url/],
    [['frobnicate'], /"frobnicate" is not a command/],
    [['things'], /"things" is not a command/],
    [['allocate', '--select', 'country'], /--select is "country"; allowed is KEY=VALUE/],
    [['allocate', '--select', 'os=14', '--select', 'os=15'], /--select has "os" twice/],
    [['things', 'import'], /FILE is missing/],
    [['things', 'import', 'no-such-file.csv'], /no-such-file.csv cannot be read: ENOENT/],
    [['things', 'import', 'a.csv', '--missing', 'delete'], /--missing is "delete"; allowed are keep, delete_when_free/],
    [['things', 'set', 'a', '--secret', 'x', '--no-secret'], /contradict each other/],
  ])('of the command line (%j) has exit code 2, and sends no request', async (args, message) => {
    const { code, out, err } = await start(args, { TOKEN_POOL_URL: nowhere }).over;
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(message);
  });

  test.each<[string, string[], Record<string, string>]>([
    ['a URL that is malformed', ['pools'], { TOKEN_POOL_URL: 'http://user:secret@host:port' }],
    ['a URL with a password', ['pools', '--url', 'https://user:secret@host'], {}],
    ['a key for a URL', ['pools'], { TOKEN_POOL_URL: 'tp_secret' }],
    ['a key with a line break', ['pools'], { TOKEN_POOL_KEY: 'tp_secret\nrest' }],
    ['a key for a command', ['tp_secret'], {}],
    ['a key for an option', ['pools', '--tp_secret'], {}],
    ['a key for a number', ['events', '--limit', 'tp_secret'], {}],
    ['a key too much', ['pools', 'a', 'tp_secret'], {}],
    ['a URL with a password too much', ['list', 'https://user:secret@host'], {}],
    ['metadata that is no JSON', ['allocate', '--metadata', '{secret}'], {}],
  ])('with %s has exit code 2, and the message does not repeat it', async (_, args, env) => {
    for (const format of [[], ['--json']]) {
      const { code, out, err } = await start([...args, ...format], env).over;
      expect([code, out]).toEqual([2, '']);
      expect(err).not.toContain('secret');
    }
  });

  test('for want of a command prints the help on stderr', async () => {
    const { code, out, err } = await tokenpool();
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/Usage: tokenpool COMMAND/);
  });
});

test('the help names every command, and the help of each command has its options and examples', async () => {
  const { code, out } = await tokenpool('--help');
  expect(code).toBe(0);
  const one = 'allocate release keep-alive list show history events watch pools cleanup generate delete run'.split(' ');
  for (const name of [...one, 'things import', 'things list', 'things set', 'things remove']) {
    expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'));
    const own = await start([...name.split(' '), '--help'], { TOKEN_POOL_URL: nowhere }).over;
    expect([own.code, own.err]).toEqual([0, '']);
    expect(own.out).toMatch(
      new RegExp(`^Usage: tokenpool ${name}[^]*--json [^]*Examples:\n {2}tokenpool ${name}`, 'm'),
    );
  }
});

describe('watch', () => {
  test('prints events as they happen', async () => {
    const seat = await pool();
    const program = start(['watch', '--pool', seat.name, '--after', '0', '--json']);
    await program.printed(/"generated"/);
    const lease = await seat.allocate();
    await program.printed(/"activated"/);
    await seat.release(lease);
    await program.printed(/"released"/);
    program.child.kill('SIGINT');
    const { code, out } = await program.over;
    expect(code).toBe('SIGINT');
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).seq),
    ).toEqual([1, 2, 3]);
  });

  test('ends after --limit events', async () => {
    const seat = await pool();
    await seat.release(await seat.allocate());
    expect(await printedLines('watch', '--pool', seat.name, '--after', '1', '--limit', '2')).toEqual([
      'SEQ  WHEN  EVENT  REASON  FENCE  TOKEN  USER',
      '2  <time>  activated  allocated  1  <id>  <id>',
      '3  <time>  released  released_by_client  1  <id>  <id>',
    ]);
  });
});

describe('things', () => {
  const CSV = 'name,country,os,secret.pin\n+49 30 1,de,14,1111\n+49 30 2,de,15,2222\n+33 1 3,fr,15,3333\n';
  const phones = (): Promise<PoolHandle> => pool({ kind: 'listed', size: undefined, ttl_seconds: undefined });
  const imports = ({ name }: PoolHandle, input: string, ...options: string[]): Program['over'] =>
    start(['things', 'import', '-', '--pool', name, ...options], {}, input).over;

  test('are imported from CSV and JSON; the same file twice changes nothing', async () => {
    const pool = await phones();
    const counts = (text: string) => ({ code: 0, out: `${pool.name}: ${text}\n`, err: '' });
    const [added, unchanged] = [
      '3 added, 0 changed, 0 unchanged, 0 deleted, 0 draining',
      '0 added, 0 changed, 3 unchanged, 0 deleted, 0 draining',
    ];
    expect(await imports(pool, CSV)).toEqual(counts(added));
    expect(await imports(pool, CSV)).toEqual(counts(unchanged));
    await pool.allocate({ name: '+49 30 2' });
    const { out } = await imports(
      pool,
      '[{"name":"+49 30 1","attributes":{"country":"de"}}]',
      '--missing',
      'delete_when_free',
      '--json',
    );
    expect(JSON.parse(out)).toEqual({ added: 0, changed: 1, unchanged: 0, deleted: 1, draining: 1 });
    const [title, ...things] = await printedLines('things', 'list', '--pool', pool.name);
    expect(title).toBe('NAME  STATUS  USER  UNTIL  ATTRIBUTES');
    expect(things.sort()).toEqual([
      '+49 30 1  available  -  -  country=de',
      '+49 30 2  active, draining  <id>  <time>  country=de os=15',
    ]);
  });

  test('are not sent while anything is wrong with the file, and each problem is printed with its line', async () => {
    const pool = await phones();
    const wrong = CSV.replace('+49 30 2', '+49 30 1') + ',fr,15,4444\n';
    expect(await imports(pool, wrong)).toEqual({
      code: 2,
      out: '',
      err: `tokenpool: 2 problems in -; nothing was sent
-:3: the name "+49 30 1" is already on line 2
-:5: the name is missing
`,
    });
    const { code, err } = await imports(pool, wrong, '--json');
    expect([code, JSON.parse(err)]).toMatchObject([2, { error: 'wrong_file', problems: [{ line: 3 }, { line: 5 }] }]);
    expect((await imports(pool, 'name\n\xff', '--dry-run')).code).toBe(0);
    expect((await pool.details()).counts.total).toBe(0);
  });

  test('are counted by a dry run, which sends nothing', async () => {
    const pool = await phones();
    expect(await imports(pool, CSV, '--dry-run')).toEqual({
      code: 0,
      out: '3 things without a problem; nothing was sent\n',
      err: '',
    });
    expect((await pool.details()).counts.total).toBe(0);
  });

  test('are added, changed and removed one by one', async () => {
    const { name } = await phones();
    const set = (...args: string[]): Promise<string[]> =>
      printedLines('things', 'set', 'tester-1', '--pool', name, ...args);
    expect(await set('--attributes', '{"role":"admin"}')).toEqual(['tester-1 is added']);
    expect(await set('--attributes', '{"role":"guest"}')).toEqual(['tester-1 is changed']);
    expect(await set()).toEqual(['tester-1 is unchanged']);
    const listed = (role: string) => printedLines('things', 'list', '--pool', name, '--attribute', `role=${role}`);
    expect([(await listed('admin')).length, (await listed('guest')).length]).toEqual([1, 2]);
    const lease = await client.pool(name).allocate();
    const remove = ['things', 'remove', 'tester-1', '--pool', name];
    expect(await tokenpool(...remove)).toMatchObject({ code: 1, err: expect.stringMatching(/token_in_use/) });
    expect(await printedLines(...remove, '--when-free')).toEqual(['tester-1 goes at the end of its lease']);
    await client.pool(name).release(lease);
    expect(await tokenpool(...remove)).toEqual({
      code: 1,
      out: '',
      err: `tokenpool: the pool ${name} has no "tester-1"\n`,
    });
  });

  test('have a secret that a file gives, and no message repeats what is wrong there', async () => {
    const { name } = await phones();
    const set = ['things', 'set', 'tester-1', '--pool', name, '--secret'];
    for (const [file, input, message] of [
      ['-', '{"pin": 1111', '--secret is something else'],
      ['-', '{"pin": 11111111111111111111}', '--secret would not arrive as it is'],
      ['{"pin":"1111"}', '', 'the file of --secret cannot be read: ENOENT'],
    ] as const) {
      const { code, err } = await start([...set, file], {}, input).over;
      expect([code, err]).toEqual([2, expect.stringContaining(message)]);
      expect(err).not.toContain('1111');
    }
    expect(await start([...set, '-'], {}, '{"pin":"1111"}').over).toMatchObject({
      code: 0,
      out: 'tester-1 is added\n',
    });
    expect(await printedLines(...set.slice(0, -1), '--no-secret')).toEqual(['tester-1 is changed']);
    expect(await client.pool(name).allocate()).toMatchObject({ name: 'tester-1', secret: null });
  });

  test('are allocated by name and by attributes, and their secret is in --json only', async () => {
    const { name } = await phones();
    await imports(client.pool(name), CSV);
    const lines = await printedLines('allocate', '--pool', name, '--select', 'country=fr', '--select', 'os=14,15');
    expect(lines).toEqual(
      expect.arrayContaining(['name  +33 1 3', 'attributes  country=fr os=15', 'secret  pin (--json has it)']),
    );
    expect(lines.join()).not.toContain('3333');
    const [grant] = await json('allocate', '--pool', name, '--name', '+49 30 2');
    expect(grant).toMatchObject({ name: '+49 30 2', secret: { pin: '2222' } });
    expect(await tokenpool('allocate', '--pool', name, '--select', 'country=')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^tokenpool: unsatisfiable: /),
    });
  });

  test('come into the environment of a command, which does not start without what it asks for', async () => {
    const pool = await phones();
    await imports(pool, CSV);
    const run = ['run', '--pool', pool.name, '--select', 'country=de', '--select', 'os=14'];
    const env = ['--env', 'PHONE=name', '--env', 'COUNTRY=attribute.country', '--env', 'PIN=secret.pin'];
    expect(await tokenpool(...run, ...env, '--', 'sh', '-c', 'echo "$PHONE $COUNTRY $PIN $FENCE"')).toEqual({
      code: 0,
      out: '+49 30 1 de 1111 1\n',
      err: '',
    });
    for (const source of ['secret.puk', 'attribute.toString', 'attribute.sim']) {
      expect(await tokenpool(...run, '--env', `X=${source}`, '--', 'echo', 'started')).toMatchObject({
        code: 125,
        out: '',
        err: expect.stringContaining(`tokenpool: "+49 30 1" has no ${source}, which --env X asks for\n`),
      });
    }
    expect((await pool.details()).counts.active).toBe(0);
    for (const pair of ['PIN', 'P IN=name', 'PIN=pin', 'FENCE=name']) {
      expect(await tokenpool(...run, '--env', pair, '--', 'echo', 'started')).toMatchObject({ code: 125, out: '' });
    }
    expect((await happened(pool)).filter((event) => event.startsWith('activated'))).toHaveLength(4);
  });

  test.each(['ends normally', 'fails', 'loses its lease'])('print no secret when a command %s', async (end) => {
    const pool = await phones();
    await imports(pool, 'name,secret.pin\na,"not to be printed"\n');
    const script = end === 'fails' ? 'exit 3' : end === 'ends normally' ? 'true' : 'echo started; exec sleep 300';
    const program = start(['run', '--pool', pool.name, '--env', 'PIN=secret.pin', '--', 'sh', '-c', script]);
    if (end === 'loses its lease') {
      await program.printed(/started/);
      const { tokens } = await pool.list({ status: 'active' }).page();
      await pool.release({ token_id: tokens[0]!.id }, { force: true });
      program.child.kill('SIGTERM');
    }
    const { out, err } = await program.over;
    expect(out + err).not.toContain('not to be printed');
  });
});

describe('in the line of a pool', () => {
  const TIME_OF_DAY = String.raw`(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d`;
  const desk = () => pool({ max_waiting: 10, patience_seconds: 300, claim_seconds: 60 });
  const inLine = async ({ name }: PoolHandle): Promise<Json[]> => {
    const { out } = await tokenpool('line', '--pool', name, '--json');
    return out === ''
      ? []
      : out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line));
  };

  test('allocate waits, says its place as it changes, and prints the grant', async () => {
    const seat = await desk();
    const held = await seat.allocate();
    const first = await seat.takePlace({ holder: 'first' });
    const program = start(['allocate', '--pool', seat.name, '--holder', 'second', '--wait', '5m']);
    await program.printed(/2nd of 2/);
    expect(program.err()).toMatch(
      new RegExp(`^tokenpool: 2nd of 2 in the line of ${seat.name}, at the latest ${TIME_OF_DAY}\n$`),
    );
    await seat.leave(first.id);
    await program.printed(/1st of 1/);
    await seat.release(held);
    const { code, out } = await program.over;
    expect(code).toBe(0);
    expect(out.split('\n').map(alike).slice(0, 3)).toEqual(['token  <id>', 'user  <id>', 'holder  second']);
    expect((await seat.show(held.token_id)).status).toBe('active');
  });

  test('run starts its command when its turn comes', async () => {
    const seat = await desk();
    const held = await seat.allocate();
    const program = start(['run', '--pool', seat.name, '--wait', '300', '--', 'sh', '-c', 'echo "fence $FENCE"']);
    await program.printed(/1st of 1 in the line/);
    await seat.release(held);
    expect(await program.over).toMatchObject({ code: 0, out: 'fence 2\n' });
    expect((await happened(seat)).slice(1)).toEqual([
      'queued',
      'released released_by_client',
      'activated offered',
      'renewed claimed',
      'released released_by_client',
    ]);
  });

  test.each<NodeJS.Signals>(['SIGINT', 'SIGTERM'])('gives the place back when %s ends it', async (signal) => {
    const seat = await desk();
    await seat.allocate();
    for (const args of [['allocate'], ['run']]) {
      const command = args[0] === 'run' ? ['--', 'sh', '-c', 'echo started'] : [];
      const program = start([...args, '--pool', seat.name, '--wait', '5m', ...command]);
      await program.printed(/1st of 1/);
      expect(await inLine(seat)).toHaveLength(1);
      program.child.kill(signal);
      expect(await program.over).toMatchObject({ code: 128 + constants.signals[signal], out: '' });
      expect(await inLine(seat)).toEqual([]);
    }
  });

  test('ends with a code of its own when the time is over, and leaves no place behind', async () => {
    const seat = await desk();
    await seat.allocate();
    const { code, out, err } = await tokenpool('allocate', '--pool', seat.name, '--wait', '0.2s');
    expect([code, out]).toEqual([4, '']);
    expect(err).toMatch(new RegExp(`\ntokenpool: no token of pool ${seat.name}: the time to wait was over\n$`));
    const asJson = await tokenpool('allocate', '--pool', seat.name, '--wait', '0.2s', '--json');
    expect(asJson.code).toBe(4);
    expect(JSON.parse(asJson.err)).toMatchObject({ error: 'wait_ended', end_reason: null, ticket_id: A_UUID });
    const ran = await tokenpool('run', '--pool', seat.name, '--wait', '0.2s', '--', 'echo', 'started');
    expect([ran.code, ran.out]).toEqual([125, '']);
    expect(await inLine(seat)).toEqual([]);
  });

  test('says how a place was lost', async () => {
    const seat = await desk();
    await seat.allocate();
    const program = start(['allocate', '--pool', seat.name, '--wait', '5m']);
    await program.printed(/1st of 1/);
    const [{ id }] = (await inLine(seat)) as [{ id: string }];
    expect(await tokenpool('leave', id, '--note', 'closing early')).toEqual({
      code: 0,
      out: `ticket ${id} is cancelled\n`,
      err: '',
    });
    const { code, err } = await program.over;
    expect([code, err.split('\n').at(-2)]).toEqual([
      4,
      `tokenpool: no token of pool ${seat.name}: the place was lost: cancelled`,
    ]);
  });

  test('line prints who waits, in order', async () => {
    const seat = await desk();
    await seat.allocate();
    await seat.takePlace({ holder: 'ann' });
    await seat.takePlace({ holder: 'bob' });
    expect(await printedLines('line', '--pool', seat.name)).toEqual([
      'PLACE  TICKET  WHO  TOKENS  SINCE  NOT LATER THAN'.replace(/ {2,}/g, '  '),
      '1  <id>  ann  1  <time>  <time>',
      '2  <id>  bob  1  <time>  <time>',
    ]);
    expect(await inLine(seat)).toMatchObject([{ holder: 'ann', position: 1 }, { holder: 'bob' }]);
  });

  test('several tokens come at once or not at all, numbered in the environment', async () => {
    const pair = await pool({ size: 2, max_waiting: 10, patience_seconds: 300 });
    const script = 'echo "$FENCE $FENCE_1 $FENCE_2 $([ "$TOKEN_ID_1" != "$TOKEN_ID_2" ] && echo differ)"';
    const args = ['run', '--pool', pair.name, '--count', '2', '--', 'sh', '-c', script];
    expect(await tokenpool(...args)).toEqual({ code: 0, out: '1 1 2 differ\n', err: '' });
    const held = await pair.allocate();
    const refused = await tokenpool('allocate', '--pool', pair.name, '--count', '2');
    expect(refused).toMatchObject({ code: 1, out: '' });
    const program = start(['allocate', '--pool', pair.name, '--count', '2', '--wait', '5m']);
    await program.printed(/1st of 1/);
    await pair.release(held);
    const { code, out } = await program.over;
    expect([code, out.split('\n').length]).toEqual([0, 4]);
  });

  test('run keeps its place while the service is killed and started again', async () => {
    await build();
    const database = await createTestDatabase();
    const env = { DATABASE_URL: database.url, LOG_LEVEL: 'warn' };
    let service = await startService(env);
    const restart = async (): Promise<void> => {
      service.signal('SIGKILL');
      await service.ended;
      service = await startService({ ...env, PORT: new URL(service.url).port });
    };
    const theirs = new TokenPoolClient(service.url);
    const policy = { ttl_seconds: 300, on_exhausted: 'reject', max_waiting: 10, patience_seconds: 300 } as const;
    await theirs.createPool({ name: 'desk', kind: 'fixed', size: 1, ...policy });
    const seat = theirs.pool('desk');
    const held = await seat.allocate();
    const ahead = await seat.takePlace({ holder: 'ahead' });
    const args = ['run', '--pool', 'desk', '--wait', '10m', '--', 'echo', 'started'];
    const program = startTokenpool(service.url, args);
    await program.printed(/2nd of 2 in the line of desk/);
    const { tickets } = await seat.line().page();
    await restart();
    await seat.leave(ahead.id);
    await program.printed(/1st of 1/);
    expect((await seat.line().page()).tickets.map(({ id }) => id)).toEqual([tickets[1]!.id]);
    await restart();
    await seat.release(held);
    expect(await program.over).toMatchObject({ code: 0, out: 'started\n' });
    await killServices();
    await database.drop();
  }, 120_000);

  test.each([
    [['--wait', 'soon'], /--wait: "soon" is no time to wait/],
    [['--wait', '-5'], /--wait/],
    [['--count', '101'], /--count is 101; the most is 100/],
    [['--count', '0'], /--count is "0"; allowed is a whole number from 1/],
    [['--name', 'a', '--wait', '5'], /--name asks for one token/],
    [['--token', NOBODY, '--count', '2'], /--token asks for one token/],
  ])('allocate %j is refused before it asks', async (options, why) => {
    const { code, err } = await tokenpool('allocate', '--url', nowhere, ...options);
    expect(code).toBe(2);
    expect(err).toMatch(why);
  });
});

describe('run', () => {
  const sh = (pool: PoolHandle, script: string, ...options: string[]): Program =>
    start(['run', '--pool', pool.name, ...options, '--', 'sh', '-c', script]);

  test('puts the lease into the environment, returns the exit code of the command, and releases the lease', async () => {
    const seat = await pool();
    const { code, out, err } = await sh(seat, 'echo "$TOKEN_ID $LEASE_ID $FENCE"; exit 7', '--user', NOBODY).over;
    expect([code, err]).toEqual([7, '']);
    const [, activated] = await feedOf(seat);
    expect(out.split(' ')).toEqual([activated!.token_id, A_UUID, '1\n']);
    expect(activated).toMatchObject({ user_id: NOBODY });
    expect(await happened(seat)).toEqual(['activated allocated', 'released released_by_client']);
  });

  test('works through npm, too', async () => {
    const seat = await pool();
    const args = [
      'run',
      '-s',
      'tokenpool',
      '--',
      'run',
      '--pool',
      seat.name,
      '--url',
      app.url,
      '--',
      'sh',
      '-c',
      'exit 9',
    ];
    const error: unknown = await promisify(execFile)('npm', args, { cwd: ROOT }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 9 });
    expect(await happened(seat)).toEqual(['activated allocated', 'released released_by_client']);
  });

  test('renews the lease until the command ends', async () => {
    // Renewed each second: only who is late by two of them loses it.
    const seat = await pool({ ttl_seconds: 3, renewable: true });
    const { code, err } = await sh(seat, 'sleep 3.5').over;
    expect([code, err]).toEqual([0, '']);
    const events = await happened(seat);
    expect(events.filter((event) => event.startsWith('renewed')).length).toBeGreaterThanOrEqual(2);
    expect(events.at(-1)).toBe('released released_by_client');
  });

  test('ends the command and all its processes before time ends the lease', async () => {
    const ttl = await paced(2);
    const seat = await pool({ ttl_seconds: ttl, renewable: false });
    // The shell ends when it is asked to; what it has started does not.
    const program = sh(seat, '(trap "" TERM; echo started; sleep 300; sleep 300) & wait');
    await program.printed(/started/);
    const { code, err } = await program.over;
    expect(code).toBe(124);
    expect(err).toMatch(/^tokenpool: the lease of token .* was lost: /);
    const [, activated] = await feedOf(seat);
    expect(Date.now()).toBeLessThan(Date.parse(activated!.occurred_at) + ttl * 1500);
  });

  test('sends SIGTERM to the command before SIGKILL', async () => {
    const grace = await paced(2);
    const ttl = 2 * grace;
    const seat = await pool({ ttl_seconds: ttl, renewable: false });
    const command = 'trap "echo tidied up; exit 0" TERM; sleep 300 & wait';
    const { code, out } = await sh(seat, command, '--grace', String(grace)).over;
    expect([code, out]).toEqual([124, 'tidied up\n']);
    const [, activated, released] = await feedOf(seat);
    expect(released).toMatchObject({ event: 'released', reason: 'released_by_client' });
    expect(Date.parse(released!.occurred_at) - Date.parse(activated!.occurred_at)).toBeLessThan(ttl * 875);
  });

  test('ends the command when its lease is evicted, and names the next user', async () => {
    const seat = await pool({ ttl_seconds: await paced(3), renewable: true, on_exhausted: 'evict_oldest' });
    const program = sh(seat, 'echo started; exec sleep 300');
    await program.printed(/started/);
    await seat.allocate({ user_id: NOBODY });
    const { code, err } = await program.over;
    expect(code).toBe(124);
    expect(err).toMatch(new RegExp(`was lost: lru_eviction at .* by user ${NOBODY} \\(fence 2\\)\n$`));
    expect(await happened(seat)).toEqual([
      'activated allocated',
      'released lru_eviction',
      'activated allocated_after_eviction',
    ]);
  });

  test('passes signals on, and releases the lease when the command has ended', async () => {
    const seat = await pool();
    // What says so is a program of its own by then: a shell that was just forked may still swallow the signal.
    const program = sh(seat, 'trap "echo bye; exit 5" TERM; sh -c "echo started; exec sleep 300" & wait; wait');
    await program.printed(/started/);
    program.child.kill('SIGTERM');
    // The sleep that was left holds nothing of the test's: it got the signal, too.
    expect(await program.over).toEqual({ code: 5, out: 'started\nbye\n', err: '' });
    expect(await happened(seat)).toEqual(['activated allocated', 'released released_by_client']);
  });

  test.each<NodeJS.Signals>(['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGXCPU', 'SIGVTALRM', 'SIGPROF', 'SIGIO'])(
    'passes %s on, and ends with the command',
    async (signal) => {
      const seat = await pool();
      const program = sh(seat, 'echo started; exec sleep 300');
      await program.printed(/started/);
      program.child.kill(signal);
      expect(await program.over).toMatchObject({ code: 128 + constants.signals[signal], err: '' });
      expect(await happened(seat)).toEqual(['activated allocated', 'released released_by_client']);
    },
  );

  test('stops the command when it is stopped, and ends it if the lease is over when both go on', async () => {
    const seat = await pool({ ttl_seconds: await paced(4), renewable: true });
    const program = sh(seat, 'echo "pid $$"; exec sleep 300');
    await program.printed(/pid \d+\n/);
    const [, pid] = /pid (\d+)/.exec(program.out())!;
    const state = async (id: unknown): Promise<string> =>
      /\) (.)/.exec(await readFile(`/proc/${String(id)}/stat`, 'utf8'))![1]!;
    program.child.kill('SIGTSTP');
    for (const id of [pid, program.child.pid]) while ((await state(id)) !== 'T') await pause(20);
    // Nobody renews it: the service ends it.
    while ((await seat.details()).counts.active > 0) await pause(100);
    program.child.kill('SIGCONT');
    const { code, err } = await program.over;
    expect([code, err]).toEqual([124, expect.stringMatching(/was lost: /)]);
  });

  test('returns the exit code of shells for a command that a signal has ended', async () => {
    expect(await sh(await pool(), 'kill -KILL $$').over).toMatchObject({ code: 137 });
  });

  test('does not start the command without a lease', async () => {
    const seat = await pool();
    await seat.allocate();
    expect(await sh(seat, 'echo started').over).toEqual({
      code: 125,
      out: '',
      err: expect.stringMatching(/^tokenpool: pool_exhausted: /),
    });
    const usage = await tokenpool('run', 'echo', 'started');
    expect(usage).toMatchObject({ code: 125, out: '', err: expect.stringMatching(/"echo" is not an option/) });
  });

  test.each([
    ['there-is-no-such-command', 127],
    [ROOT, 126],
  ])('has an exit code for the reason why %j cannot start, and releases the lease', async (command, code) => {
    const seat = await pool();
    const over = await tokenpool('run', '--pool', seat.name, '--', command);
    expect(over).toEqual({ code, out: '', err: expect.stringMatching(/^tokenpool: the command was not started: /) });
    expect(await happened(seat)).toEqual(['activated allocated', 'released released_by_client']);
  });
});

describe('clean', () => {
  /** A pool with so many dirty tokens, and their ids in the order in which they are cleaned. */
  async function dirty(size: number): Promise<[PoolHandle, string[]]> {
    const vms = await pool({ size, after_use: 'clean', clean_within_seconds: 20 });
    const grants = [];
    for (let n = 0; n < size; n++) grants.push(await vms.allocate());
    for (const grant of grants) await vms.release(grant);
    return [vms, grants.map(({ token_id }) => token_id)];
  }
  const counts = async (vms: PoolHandle): Promise<Json> => (await vms.details()).counts;

  test('hands one dirty token after the other to the command, and ends when nothing is dirty', async () => {
    const [vms, ids] = await dirty(3);
    const script = 'echo "$FENCE $TOKEN_ID $1"';
    const { code, out } = await tokenpool('clean', '--pool', vms.name, '--', 'sh', '-c', script, 'sh');
    expect(code).toBe(0);
    expect(out).toBe(ids.map((id, n) => `${n + 4} ${id} ${id}\n`).join(''));
    expect(await counts(vms)).toMatchObject({ total: 3, available: 3, dirty: 0 });
  });

  test('says that a token is broken whose command fails, and goes on', async () => {
    const [vms, [first, second]] = await dirty(2);
    const script = `[ "$1" != ${first} ] || exit 7`;
    const { code } = await tokenpool('clean', '--pool', vms.name, '--', 'sh', '-c', script, 'sh');
    expect(code).toBe(1);
    expect(await vms.show(first!)).toMatchObject({ status: 'disabled', disabled_reason: 'sh ended with 7' });
    expect((await vms.show(second!)).status).toBe('available');
  });

  test('leaves a token dirty whose command a signal ends, or that cannot be started', async () => {
    const [vms, [id]] = await dirty(1);
    const program = start(['clean', '--pool', vms.name, '--', 'sh', '-c', 'echo began; exec sleep 60']);
    await program.printed(/began/);
    program.child.kill('SIGTERM');
    expect((await program.over).code).toBe(128 + constants.signals.SIGTERM);
    expect((await vms.show(id!)).status).toBe('dirty');
    expect((await tokenpool('clean', '--pool', vms.name, '--', '/no/such/command')).code).toBe(127);
    expect((await vms.show(id!)).status).toBe('dirty');
  });

  test('waits for the next dirty token', async () => {
    const vms = await pool({ after_use: 'clean' });
    const program = start(['clean', '--pool', vms.name, '--wait', '20', '--', 'echo']);
    const grant = await vms.allocate();
    await vms.release(grant);
    await program.printed(new RegExp(grant.token_id));
    while ((await counts(vms)).available !== 1) await pause(10);
    program.child.kill('SIGINT');
    expect((await program.over).code).toBe(128 + constants.signals.SIGINT);
  });
});
