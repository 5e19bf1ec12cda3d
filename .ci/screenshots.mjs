// The pictures of the console in docs/: `npm run screenshots`. Starts the built service on a database of its own whose
// clock is moved, lives through half an hour in some seconds, and looks at it with a real Chromium.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { chromium } from 'playwright-core';
import { startLocalPostgres } from '../dist/api/libs/local-postgres/src/index.js';

const PAST_SECONDS = 1_800;
const STEP_SECONDS = 2;
const MODELS = [
  ['Pixel 9', '15', '16'],
  ['Galaxy S24', '14', '15'],
  ['Fairphone 5', '13', '14'],
];
const COUNTRIES = ['de', 'fr', 'pl', 'de'];

const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
);
if (!executablePath) throw new Error('there is no Chromium here: apt-get install chromium');

const directory = mkdtempSync(join(tmpdir(), 'token-pool-screenshots-'));
const postgres = await startLocalPostgres({ directory, durable: false });
const clock = new pg.Client({ connectionString: postgres.url });
let service;
let browser;
try {
  await clock.connect();
  await installClock();
  const base = await startService();
  await live(base);
  browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
  await takePictures(base);
} finally {
  await browser?.close();
  service?.kill('SIGTERM');
  if (service) await once(service, 'close');
  await clock.end();
  await postgres.stop();
  for (const path of [directory, postgres.directory]) rmSync(path, { recursive: true, force: true });
}

/** A function of the same name before PostgreSQL's own, for whoever connects from now on. */
async function installClock() {
  const { rows } = await clock.query('SELECT current_database() AS name');
  await clock.query(`
    CREATE SCHEMA clock;
    CREATE TABLE clock.shift (by interval NOT NULL);
    INSERT INTO clock.shift VALUES ('-${PAST_SECONDS + 120} seconds');
    CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
      AS 'SELECT pg_catalog.clock_timestamp() + by FROM clock.shift';
    ALTER DATABASE "${rows[0].name}" SET search_path = clock, pg_catalog, public;`);
}

async function startService() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  const env = { PATH: process.env.PATH, PORT: String(port), DATABASE_URL: postgres.url, SWEEP_INTERVAL_MS: '200' };
  service = spawn(process.execPath, ['dist/api/main.js'], {
    env: { ...env, LOG_LEVEL: 'warn' },
    stdio: 'inherit',
  });
  const base = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${base}/health/ready`).catch(() => null))?.ok) await sleep(50);
  return base;
}

async function ask(base, method, path, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(base + path, { method, headers, body: JSON.stringify(body ?? {}) });
  return response.json();
}

/** Always the same chances, so that the pictures stay alike. */
function chances(seed) {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

function phone(_, index) {
  const [model, ...systems] = MODELS[index % MODELS.length];
  const attributes = { model, os: systems[index % systems.length], country: COUNTRIES[index % 4], esim: index % 3 > 0 };
  return { name: `+49 30 90182${String(7 * index + 113).padStart(3, '0')}`, attributes };
}

async function live(base) {
  const chance = chances(7);
  const allocate = (pool, more) => ask(base, 'POST', '/api/tokens/allocate', { pool, ...more });
  await ask(base, 'POST', '/api/pools', {
    name: 'lab-phones',
    kind: 'listed',
    size: 40,
    ttl_seconds: 900,
    max_lifetime_seconds: 7200,
  });
  await ask(base, 'PUT', '/api/pools/lab-phones/tokens', { tokens: Array.from({ length: 24 }, phone) });
  await ask(base, 'POST', '/api/pools', {
    name: 'sandboxes',
    kind: 'elastic',
    size: 40,
    ttl_seconds: 600,
    on_exhausted: 'reject',
  });
  let leases = [];
  for (let t = 0; t < PAST_SECONDS; t += STEP_SECONDS) {
    await clock.query(`UPDATE clock.shift SET by = by + interval '${STEP_SECONDS} seconds'`);
    // A slow wave, with a rush at its end.
    const wanted = STEP_SECONDS * (0.62 + 0.3 * Math.sin(t / 210) + (t > PAST_SECONDS - 150 ? 0.55 : 0));
    for (let i = 0; i < Math.floor(wanted + chance()); i++) {
      const grant = await allocate('default', chance() < 0.3 ? { ttl_seconds: 30 + chance() * 80 } : {});
      leases.push(grant);
    }
    const going = leases.filter(() => chance() < 0.012);
    for (const { token_id, lease_id } of going) {
      await ask(base, 'POST', `/api/tokens/${token_id}/release`, { lease_id });
    }
    leases = leases.filter((lease) => !going.includes(lease)).slice(-200);
    if (t > PAST_SECONDS - 700 && chance() < 0.05) await allocate('lab-phones', { holder: `ci-${4711 + t}` });
  }
  // The rest of the way to the present.
  await clock.query(`UPDATE clock.shift SET by = '0' WHERE by < '0'`);
  // Free tokens of elastic pools do not last.
  for (let i = 0; i < 31; i++) await ask(base, 'POST', '/api/tokens', { pool: 'sandboxes' });
  for (let i = 0; i < 6; i++) await ask(base, 'POST', '/api/tokens', { pool: 'elastic' });
  for (let i = 0; i < 19; i++) await allocate('sandboxes');
  for (let i = 0; i < 4; i++) await allocate('elastic');
  await liveWithLine(base);
  // Until no token is free, so that there is one that is next to be evicted.
  for (let i = 0; i < 110; i++) {
    const { counts } = await (await fetch(`${base}/api/pools/default`)).json();
    if (counts.available === 0) break;
    await allocate('default', { ttl_seconds: 20 + chance() * 100 });
  }
}

/** Machines that are cleaned after each user, and more users than machines. */
async function liveWithLine(base) {
  const pool = 'test-vms';
  await ask(base, 'POST', '/api/pools', {
    ...{ name: pool, kind: 'listed', size: 20, ttl_seconds: 1200, renewable: false, release_authority: 'anyone' },
    ...{ max_waiting: 50, max_waiting_per_user: 3, patience_seconds: 600 },
    ...{ after_use: 'clean', clean_within_seconds: 120 },
  });
  const tokens = Array.from({ length: 12 }, (_, i) => ({
    name: `vm-${i + 1}`,
    attributes: { cores: 4 + (i % 3) * 4 },
  }));
  await ask(base, 'PUT', `/api/pools/${pool}/tokens`, { tokens });
  const allocate = (holder) =>
    ask(base, 'POST', '/api/tokens/allocate', { pool, holder, ttl_seconds: 500 + (Number(holder.slice(3)) % 500) });
  const grants = [];
  for (let i = 0; i < 12; i++) grants.push(await allocate(`ci-${4711 + i * 137}`));
  const release = ({ token_id }, body) => ask(base, 'POST', `/api/tokens/${token_id}/release`, body);
  await release(grants[2], { condition: 'broken', note: 'The disk is full' });
  for (const at of [4, 7, 9]) await release(grants[at], {});
  await clock.query(`UPDATE clock.shift SET by = by + interval '140 seconds'`);
  await ask(base, 'POST', `/api/pools/${pool}/clean`, { holder: 'janitor-1' });
  const queue = (holder, count) => ask(base, 'POST', '/api/tickets', { pool, holder, count });
  await queue('ci-6301', 1);
  await queue('nightly', 3);
  await queue('ci-6307', 1);
}

async function takePictures(base) {
  const open = async (path, { width, height, colorScheme }) => {
    const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: 1.5, colorScheme });
    const page = await context.newPage();
    await page.goto(`${base}/console${path}`);
    return page;
  };
  const wide = { width: 1440, height: 1000 };

  const overview = await open('', { ...wide, height: 860, colorScheme: 'light' });
  await overview.locator('.pool-card').nth(3).waitFor();
  await overview.screenshot({ path: 'docs/console-pools.png' });

  const board = await open('/pools/default?period=3600', { ...wide, height: 1440, colorScheme: 'light' });
  await board.locator('.board canvas').waitFor();
  await board.waitForTimeout(800);
  for (let i = 0; i < 3; i++) {
    await board.getByRole('button', { name: 'Allocate', exact: true }).click();
    await board.waitForTimeout(350);
  }
  await board.screenshot({ path: 'docs/console-board.png' });

  const line = await open('/pools/test-vms', { ...wide, height: 1180, colorScheme: 'light' });
  await line.locator('.place').nth(2).waitFor();
  await line.getByRole('button', { name: 'Allocate', exact: true }).click();
  await line.getByRole('button', { name: 'Wait in line' }).click();
  await line.locator('.my-place').waitFor();
  await line.waitForTimeout(1_000);
  await line.screenshot({ path: 'docs/console-line.png' });

  const { tokens } = await (await fetch(`${base}/api/tokens/active?pool=default&limit=40`)).json();
  const dark = await open(`/pools/default?token=${tokens[30].id}`, { ...wide, colorScheme: 'dark' });
  await dark.locator('.uses li').first().waitFor();
  await dark.waitForTimeout(500);
  await dark.screenshot({ path: 'docs/console-token-dark.png' });

  const phone = await open('/pools/lab-phones', { width: 390, height: 844, colorScheme: 'light' });
  await phone.locator('.board canvas').waitFor();
  await phone.waitForTimeout(500);
  await phone.screenshot({ path: 'docs/console-phone.png' });

  const things = await open('/pools/lab-phones?view=list&attribute.country=de', {
    ...wide,
    height: 860,
    colorScheme: 'light',
  });
  await things.locator('.token-list .token-name').first().waitFor();
  await things.waitForTimeout(500);
  await things.screenshot({ path: 'docs/console-things.png' });

  const form = await open('', { ...wide, height: 1080, colorScheme: 'light' });
  await form.getByRole('button', { name: 'Create a pool' }).click();
  await form.getByLabel('Name').fill('licence-seats');
  await form.screenshot({ path: 'docs/console-create.png' });
}
