// Two real roles: one owns the schema, and the one as which the service connects may read the audit and add to it, no more.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { parse, parseAllDocuments } from 'yaml';
import { keepEventsFor, migrate } from '@app/postgres';
import { withClient } from '../../tools/bench/cluster.js';
import { startAppOn } from '../support/app.js';
import { audit } from '../support/service.js';
import { openService } from '../../tools/harness/service.js';
import { clientOf } from '../http/client.js';

const ANN = 'c0ffee00-0000-4000-8000-000000000001';

const name = `roles_test_${randomBytes(6).toString('hex')}`;
const [owner, service] = [`${name}_owner`, `${name}_service`];
let admin: Client;
let urls: { owner: string; service: string };

const urlOf = (role: string): string => {
  const url = new URL(process.env.TEST_CLUSTER_URL!);
  [url.username, url.password, url.pathname] = [role, 'secret', `/${name}`];
  return url.href;
};

beforeAll(async () => {
  admin = new Client({ connectionString: process.env.TEST_CLUSTER_URL });
  await admin.connect();
  for (const role of [owner, service]) await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  await admin.query(`CREATE DATABASE ${name} OWNER ${owner}`);
  urls = { owner: urlOf(owner), service: urlOf(service) };
  await migrate(urls.owner, { serviceUrl: urls.service });
});
afterAll(async () => {
  await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  for (const role of [owner, service]) await admin.query(`DROP ROLE ${role}`);
  await admin.end();
});

test('everything that the service does works as a role that owns nothing', async () => {
  const app = await startAppOn(urls.service, { SWEEP_INTERVAL_MS: '5', TOKEN_TTL_SECONDS: '0.05', POOL_SIZE: '3' });
  const ask = clientOf(app);
  const post = async (path: string, body = {}, headers = {}) => (await ask('POST', path, body, headers)).status;
  expect(await post('/api/tokens/allocate')).toBe(200);
  expect(await post('/generate-token')).toBe(201);
  expect(await post('/api/pools', { name: 'p', kind: 'elastic', ttl_seconds: 60 })).toBe(201);
  expect((await ask('PATCH', '/api/pools/p', { size: 20 })).status).toBe(200);
  const { body: token } = await ask('POST', '/api/tokens', { pool: 'p' });
  const { body: lease } = await ask('POST', '/api/tokens/allocate', { pool: 'p' });
  expect(await post(`/api/tokens/${token.id}/keep-alive`, { lease_id: lease.lease_id })).toBe(200);
  expect(await post(`/api/tokens/${token.id}/release`, { lease_id: lease.lease_id })).toBe(200);
  expect((await ask('DELETE', `/api/tokens/${token.id}`)).status).toBe(200);
  expect((await ask('GET', `/api/tokens/${token.id}/events`)).status).toBe(200);
  for (let seq = 0; seq < 5;) seq = Number((await ask('GET', '/api/pools/default')).body.last_seq);
  expect((await ask('GET', '/health/ready')).body).toEqual({ status: 'ok' });
  expect((await ask('GET', '/api/pools/p/audit')).body).toMatchObject({ is_sound: true });
  await app.close();
  const process = await openService(urls.service);
  expect(await audit(process.readers, 'default')).toEqual([]);
  await process.close();
});

describe('the service’s role may not', () => {
  const PARTITION = 'token_events_beginning';
  beforeAll(async () => {
    const process = await openService(urls.service);
    await process.service.createPool('q', 'fixed', { size: 1 });
    await process.service.allocate('q', { userId: ANN });
    await process.close();
  });

  test.each([
    ['change an event', `UPDATE token_events SET user_id = NULL`],
    ['remove an event', `DELETE FROM token_events`],
    ['empty the audit', `TRUNCATE token_events`],
    ['change an event in its partition', `UPDATE ${PARTITION} SET reason = NULL`],
    ['remove an event from its partition', `DELETE FROM ${PARTITION}`],
    ['empty a partition', `TRUNCATE ${PARTITION}`],
    ['add to a partition directly', `INSERT INTO ${PARTITION} SELECT * FROM token_events`],
    ['drop a partition', `DROP TABLE ${PARTITION}`],
    ['detach a partition', `ALTER TABLE token_events DETACH PARTITION ${PARTITION}`],
    ['drop the audit', `DROP TABLE token_events`],
    ['switch the trigger off', `ALTER TABLE token_events DISABLE TRIGGER ALL`],
    ['drop the trigger', `DROP TRIGGER token_events_append_only ON ${PARTITION}`],
    ['replace the trigger’s function', `DROP FUNCTION token_events_are_append_only() CASCADE`],
    ['switch triggers off for its session', `SET session_replication_role = replica`],
    ['become the owner', `SET ROLE ${owner}`],
    ['make a table of its own', `CREATE TABLE clock (now timestamptz)`],
    ['put the audit’s rows elsewhere by a rule', `CREATE RULE r AS ON INSERT TO token_events DO INSTEAD NOTHING`],
    ['grant itself more', `GRANT UPDATE ON token_events TO ${service}; UPDATE token_events SET reason = NULL`],
    ['shorten for how long events are kept', `INSERT INTO audit_retention (days) VALUES (1)`],
    ['say on which days the clock was seen', `INSERT INTO clock_days (day) VALUES ('2020-01-01')`],
    ['change for how long events are kept', `UPDATE audit_retention SET days = 1`],
    ['change a snapshot', `UPDATE event_snapshots SET hash = '' `],
    ['say by a snapshot that events were dropped', `INSERT INTO event_snapshots (is_beginning) VALUES (true)`],
    ['remove a snapshot', `DELETE FROM event_snapshots`],
    ['change the tokens of a snapshot', `UPDATE event_snapshot_tokens SET tokens = '[]'`],
    ['say that another schema is there', `DELETE FROM migrations`],
  ])('%s', async (_what, sql) => {
    const before = await withClient(urls.owner, count);
    await expect(withClient(urls.service, (client) => client.query(sql))).rejects.toMatchObject({ code: '42501' });
    expect(await withClient(urls.owner, count)).toEqual(before);
  });

  const count = async (client: Client): Promise<unknown> =>
    (await client.query(`SELECT count(*), md5(string_agg(e::text, '' ORDER BY e::text)) FROM token_events e`)).rows;
});

describe('what drops events for the service', () => {
  const asService = async (sql: string): Promise<unknown[]> =>
    (await withClient(urls.service, (client) => client.query(sql))).rows as unknown[];
  const asOwner = (sql: string): Promise<unknown> => withClient(urls.owner, (client) => client.query(sql));
  afterEach(() => asOwner('DELETE FROM audit_retention'));

  test('drops nothing that is not old enough', async () => {
    expect(await keepEventsFor(urls.service, 1)).toBe(false);
    expect(await asService('SELECT drop_expired_events() AS name')).toEqual([{ name: null }]);
    expect(await keepEventsFor(urls.owner, 1)).toBe(true);
    expect(await asService('SELECT drop_expired_events() AS name')).toEqual([{ name: null }]);
    expect(await asService('SELECT * FROM expired_events()')).toEqual([]);
  });

  test('drops what is old enough after a snapshot, which the role may add, and not before', async () => {
    // The first partition ends in the future, so it is cut in two: its older half is what is to go.
    await asOwner(`
      ALTER TABLE token_events DETACH PARTITION token_events_beginning;
      CREATE TABLE old (LIKE token_events_beginning INCLUDING ALL);
      INSERT INTO old SELECT 'gone', 1, gen_random_uuid(), gen_random_uuid(), 'generated', NULL, '2020-01-01', '2020-01-01';
      ALTER TABLE token_events ATTACH PARTITION old FOR VALUES FROM (MINVALUE) TO ('2020-02-01');
      DO $$ BEGIN EXECUTE format('ALTER TABLE token_events ATTACH PARTITION token_events_beginning FOR VALUES FROM (%L) TO (%L)',
        '2020-02-01', (SELECT min(begins_at) FROM event_partitions)); END $$`);
    await keepEventsFor(urls.owner, 30);
    await asOwner(`DELETE FROM clock_days;
    INSERT INTO clock_days (day) SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date - n FROM generate_series(0, 2) n`);
    await expect(asService('SELECT drop_expired_events()')).rejects.toThrow(/no snapshot of pool gone as of seq 1/);
    await asService(`
      INSERT INTO event_snapshots (pool, seq, recorded_at, last_fence, token_count, lease_count, hash)
      VALUES ('gone', 1, '2020-01-01', 0, 1, 0, '')`);
    expect(await asService('SELECT drop_expired_events() AS name')).toEqual([{ name: 'old' }]);
    expect(await asService(`SELECT is_beginning FROM event_snapshots`)).toEqual([{ is_beginning: true }]);
    expect(await asService('SELECT drop_expired_events() AS name')).toEqual([{ name: null }]);
  });
});

test('nobody else may do anything at all', async () => {
  const stranger = `${name}_stranger`;
  await admin.query(`CREATE ROLE ${stranger} LOGIN PASSWORD 'secret'`);
  for (const sql of ['SELECT FROM token_events', 'SELECT FROM pools', 'SELECT make_event_partitions(now())']) {
    await expect(withClient(urlOf(stranger), (client) => client.query(sql))).rejects.toMatchObject({ code: '42501' });
  }
  await admin.query(`DROP ROLE ${stranger}`);
});

test('a migration for a role that does not exist changes nothing and says so', async () => {
  await expect(migrate(urls.owner, { serviceUrl: urlOf('nobody-there') })).rejects.toThrow(/no role nobody-there/);
});

test('a role whose rights were widened by hand has them taken back by the next migration', async () => {
  await withClient(urls.owner, (client) =>
    client.query(`GRANT ALL ON token_events, token_events_beginning TO ${service}`),
  );
  await migrate(urls.owner, { serviceUrl: urls.service });
  await expect(withClient(urls.service, (client) => client.query('DELETE FROM token_events'))).rejects.toThrow(
    /permission denied/,
  );
});

// The roles as the shipped files make them, word for word but for the names, which are shared by all databases of a server.
describe.each([
  ['deploy/ha and docker-compose.yml', 'ha', ofCompose],
  ['deploy/kubernetes', 'k8s', ofKubernetes],
] as const)('by the files of %s', (_, short, shipped) => {
  const named = `${name}_${short}`;
  const ours = (text: string): string =>
    text.replaceAll(/\b(tokens_owner|tokens|replicator)\b/g, (word) =>
      word === 'tokens' ? named : `${named}_${word}`,
    );
  const url = (role: string): string => Object.assign(new URL(urlOf(role)), { pathname: `/${named}` }).href;
  const { before, inside, migration } = shipped();

  beforeAll(async () => {
    for (const sql of before) await admin.query(ours(sql));
    const superuser = Object.assign(new URL(process.env.TEST_CLUSTER_URL!), { pathname: `/${named}` }).href;
    for (const sql of inside) await withClient(superuser, (client) => client.query(ours(sql)));
    await migrateAsShipped();
  });
  afterAll(async () => {
    await admin.query(`DROP DATABASE ${named} WITH (FORCE)`);
    for (const role of ['tokens_owner', 'tokens', 'replicator']) await admin.query(`DROP ROLE IF EXISTS ${ours(role)}`);
  });

  const migrateAsShipped = (): Promise<unknown> => {
    const { MIGRATION_DATABASE_URL = '', DATABASE_URL } = migration;
    const as = (given: string): string => url(ours(new URL(given).username));
    return migrate(as(MIGRATION_DATABASE_URL), DATABASE_URL === undefined ? {} : { serviceUrl: as(DATABASE_URL) });
  };

  test('the service works, and can change no partition of the audit, however late it is made', async () => {
    const app = await startAppOn(url(ours('tokens')), { POOL_SIZE: '1' });
    expect((await clientOf(app)('POST', '/api/tokens/allocate')).status).toBe(200);
    await app.close();
    await withClient(url(ours('tokens')), (client) => client.query(`SELECT make_event_partitions(now() + '9 months')`));
    expect(await rightsOnPartitions()).toEqual([]);
  });

  test('the rights that earlier files gave by default are taken back by the next migration', async () => {
    await withClient(url(ours('tokens_owner')), (client) =>
      client.query(`ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${ours('tokens')}`),
    );
    await migrateAsShipped();
    await withClient(url(ours('tokens')), (client) => client.query(`SELECT make_event_partitions(now() + '2 years')`));
    expect(await rightsOnPartitions()).toEqual([]);
  });

  const rightsOnPartitions = async (): Promise<unknown[]> =>
    (
      await withClient(url(ours('tokens_owner')), (client) =>
        client.query(
          `SELECT name FROM event_partitions
           WHERE has_table_privilege($1, name, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')`,
          [ours('tokens')],
        ),
      )
    ).rows as unknown[];
});

interface Shipped {
  readonly before: readonly string[];
  readonly inside: readonly string[];
  /** What the job that migrates is given. */
  readonly migration: Readonly<Record<string, string>>;
}

function shippedFile(path: string): string {
  return readFileSync(join(__dirname, '../..', path), 'utf8');
}

function ofCompose(): Shipped {
  const script = shippedFile('deploy/ha/postgres/primary.sh');
  const sql = (/<<'SQL'\n([^]*?)\nSQL\n/.exec(script)?.[1] ?? '').replaceAll(/:'\w+'/g, `'secret'`);
  const [before = [], inside = []] = sql
    .split(/^\\connect tokens$/m)
    .map((part) => part.split(/;\n?/).filter((statement) => statement.trim() !== ''));
  const compose = parse(shippedFile('docker-compose.yml'), { merge: true }) as {
    services: Record<string, { environment: Record<string, string> }>;
  };
  const { environment } = compose.services['ha-migrate']!;
  const plain = Object.entries(environment).map(([key, value]) => [key, value.replaceAll(/\$\{[^}]*\}/g, 'x')]);
  return { before, inside, migration: Object.fromEntries(plain) as Record<string, string> };
}

function ofKubernetes(): Shipped {
  type Cluster = { spec: { bootstrap: { initdb: Record<'postInitSQL' | 'postInitApplicationSQL', string[]> } } };
  const [cluster] = parseAllDocuments(shippedFile('deploy/kubernetes/postgres.example.yaml'));
  const { initdb } = (cluster!.toJS() as Cluster).spec.bootstrap;
  const secrets = parseAllDocuments(shippedFile('deploy/kubernetes/secret.example.yaml')).map(
    (document) => document.toJS() as { metadata: { name: string }; stringData: Record<string, string> },
  );
  // What the operator does by itself stands around what it is told.
  const owner = [`CREATE ROLE tokens_owner LOGIN PASSWORD 'secret'`, 'CREATE DATABASE tokens OWNER tokens_owner'];
  return {
    before: [...owner, ...initdb.postInitSQL, `ALTER ROLE tokens LOGIN PASSWORD 'secret'`],
    inside: initdb.postInitApplicationSQL,
    migration: secrets.find(({ metadata }) => metadata.name === 'token-pool-migration')!.stringData,
  };
}
