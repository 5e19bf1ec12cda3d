// The console for pools with a line, and for what happens between two users: in a real Chromium, on the real service.

import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { startApp, type TestApp } from '../support/app.js';
import { buildConsole, chromiumPath, complaintsOf, launchChromium, violationsOf } from '../support/browser.js';
import { bearer, openKeys } from '../support/keys.js';

const inChromium = chromiumPath === undefined ? describe.skip : describe;

inChromium('lines and states in the console (skipped where there is no Chromium)', () => {
  let app: TestApp;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    await buildConsole();
    app = await startApp({ POOL_SIZE: '3' });
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
    await app.close();
  });
  beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    page = await context.newPage();
    page.setDefaultTimeout(20_000);
    complaints = complaintsOf(page);
  });
  afterEach(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the answers of many routes
  async function ask(method: string, path: string, body?: object, as = { url: app.url, key: '' }): Promise<any> {
    const headers = { ...(as.key && bearer(as.key)), ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(as.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    return response.json();
  }

  let pools = 0;
  /** Creates a pool of tokens that nobody evicts, with a line. */
  async function makePool(policy: object = {}): Promise<string> {
    const name = `pool-${++pools}`;
    const pool = { name, kind: 'fixed', size: 1, ttl_seconds: 600, on_exhausted: 'reject', max_waiting: 50, ...policy };
    expect(await ask('POST', '/api/pools', pool)).toMatchObject({ name });
    return name;
  }
  const allocate = (pool: string, holder: string) => ask('POST', '/api/tokens/allocate', { pool, holder });
  const queue = (pool: string, holder: string, more: object = {}) =>
    ask('POST', '/api/tickets', { pool, holder, ...more });
  const release = (id: string, body: object = {}) => ask('POST', `/api/tokens/${id}/release`, body);

  const openPool = async (name: string, query = '', url = app.url): Promise<void> => {
    await page.goto(`${url}/console/pools/${name}${query}`);
    await page.getByRole('heading', { name: 'Tokens', exact: true }).waitFor();
  };
  const button = (name: string | RegExp): Locator =>
    page.getByRole('button', { name, exact: typeof name === 'string' });
  const dialog = (): Locator => page.getByRole('dialog');
  const panel = (): Locator => page.locator('.token-panel');
  const places = (): Locator => page.locator('.place');
  const myPlaces = (): Locator => page.locator('.my-place');
  const leases = (): Locator => page.locator('.lease');
  const needy = (): Locator => page.locator('.needy li');
  const rows = (): Locator => page.locator('.token-list tbody tr:not([aria-hidden])');
  const happenings = (): Locator => page.locator('.happening');
  const has = (locator: Locator, text: string | RegExp): Promise<void> =>
    locator.filter({ hasText: text }).first().waitFor();
  const gone = (locator: Locator): Promise<void> => locator.first().waitFor({ state: 'detached' });

  describe('the line', () => {
    test('the form has the rules of a line and between two users, and says them in words', async () => {
      await page.goto(`${app.url}/console`);
      await button('Create a pool').click();
      await page.getByLabel('Name').fill('vms');
      await page.getByLabel('Refuse').check();
      await page.getByLabel('Places in line').fill('20');
      await page.getByLabel('Places a user at most').fill('2');
      await page.getByLabel('An offer must be claimed within').fill('15');
      await page.getByLabel('A place lives without').fill('45');
      await page.getByLabel('Dirty').check();
      await page.getByLabel('A cleaning takes at most').fill('90');
      await page.getByLabel('Failed cleanings until').fill('2');
      await page.getByLabel('A token rests for').fill('5');
      await page.getByRole('radio', { name: 'After unclean ends' }).check();
      await page.getByLabel('Out of service after unclean').fill('4');
      const words = page.locator('.in-words');
      await has(words, '20 may wait in line, each user with 2 places');
      await has(
        words,
        'somebody must clean the token within 1 min 30 s; after 2 failed cleanings it is out of service',
      );
      await has(words, 'A token rests for 5 s after a lease that its holder did not release.');
      await button('Create pool').click();
      await page.waitForURL('**/pools/vms');
      expect(await ask('GET', '/api/pools/vms')).toMatchObject({
        ...{ max_waiting: 20, max_waiting_per_user: 2, claim_seconds: 15, patience_seconds: 45 },
        ...{ after_use: 'clean', clean_within_seconds: 90, max_cleans: 2, cooldown_seconds: 5 },
        ...{ cooldown_after: 'unclean', disable_after_unclean: 4 },
      });
    });

    test('who is refused is offered a place, sees its promise, and gets the token when it is their turn', async () => {
      const pool = await makePool();
      const ann = await allocate(pool, 'ann');
      await queue(pool, 'bob');
      await openPool(pool);
      await has(places(), 'bob');
      await button('Allocate').click();
      await has(page.locator('.offer-to-wait'), /You would be 2nd, at the latest .+, in \d+:\d\d/);
      await button('Wait in line').click();
      await has(myPlaces(), /You are 2nd of 2 at the latest/);
      const { tickets } = await ask('GET', `/api/pools/${pool}/tickets`);
      await ask('DELETE', `/api/tickets/${tickets[0].id}`);
      await has(myPlaces(), /You are 1st at the latest/);
      // The place is in the tab, and not in the page.
      await page.reload();
      await has(myPlaces(), /You are 1st at the latest/);
      await release(ann.token_id);
      await has(leases(), 'handle');
      await gone(myPlaces());
      expect(await ask('GET', `/api/pools/${pool}/tickets`)).toMatchObject({ tickets: [] });
      expect(await ask('GET', `/api/tickets/${tickets[1].id}`)).toMatchObject({ status: 'granted' });
    });

    test('several tokens are taken at once or not at all, and waited for together', async () => {
      const pool = await makePool({ size: 2 });
      const ann = await allocate(pool, 'ann');
      await openPool(pool);
      await button('Allocate with options').click();
      await dialog().getByLabel('How many').fill('2');
      await dialog().getByLabel('All at once, or none').check();
      await dialog().getByRole('button', { name: 'Allocate' }).click();
      await has(dialog().getByRole('alert'), 'no token of pool');
      expect((await ask('GET', `/api/pools/${pool}`)).counts.active).toBe(1);
      await dialog().getByRole('button', { name: 'Wait in line' }).click();
      await has(myPlaces(), 'You are 1st for 2 tokens at once');
      await release(ann.token_id);
      await has(leases().nth(1), 'handle');
      expect((await ask('GET', `/api/pools/${pool}`)).counts.active).toBe(2);
    });

    test('a place is given back, and a lost one says why', async () => {
      const pool = await makePool({ max_waiting_per_user: 5 });
      await allocate(pool, 'ann');
      await openPool(pool);
      const wait = async (): Promise<void> => {
        await button('Allocate').click();
        await button('Wait in line').click();
        await has(myPlaces(), 'You are 1st');
      };
      await wait();
      await button('Leave the line').click();
      await gone(myPlaces());
      await has(happenings(), 'the place was given back');
      await wait();
      const { tickets } = await ask('GET', `/api/pools/${pool}/tickets`);
      await ask('DELETE', `/api/tickets/${tickets[0].id}`);
      await has(myPlaces(), 'Your place is lost.');
      await button('All right').click();
      await gone(myPlaces());
    });

    test('the line shows who waits since when for what, and an operator removes a place with a note', async () => {
      const pool = await makePool({ size: 2, ttl_seconds: 600 });
      await allocate(pool, 'ann');
      await allocate(pool, 'ann');
      await queue(pool, 'bob');
      await queue(pool, 'cem', { count: 2 });
      await openPool(pool);
      await has(places().nth(0), /1\s*bob.*waits since.*at the latest/s);
      await has(places().nth(1), /2\s*cem.*2 tokens at once/s);
      await page.getByRole('button', { name: 'Remove the place of cem' }).click();
      await dialog().getByLabel('Reason').fill('the job has gone');
      await dialog().getByRole('button', { name: 'Remove' }).click();
      await gone(places().nth(1));
      await has(happenings(), 'the job has gone');
      const { events } = await ask('GET', `/api/pools/${pool}/events`);
      expect(events.at(-1)).toMatchObject({ event: 'left', metadata: { note: 'the job has gone' } });
    });

    test('the list of pools says how many wait', async () => {
      const pool = await makePool();
      await allocate(pool, 'ann');
      await queue(pool, 'bob');
      await page.goto(`${app.url}/console`);
      await has(page.locator('.pool-card', { hasText: pool }), '1 in line');
    });
  });

  describe('between two users', () => {
    test('each state has its words on the board and in the list, and is filtered', async () => {
      const pool = await makePool({ size: 4, cooldown_seconds: 3600 });
      const [a, b, c, d] = await Promise.all(['ann', 'bob', 'cem', 'dee'].map((holder) => allocate(pool, holder)));
      await release(a.token_id);
      await release(b.token_id, { condition: 'dirty' });
      await release(c.token_id, { condition: 'broken', note: 'the display is cracked' });
      await ask('POST', `/api/pools/${pool}/clean`, { holder: 'janitor' });
      await openPool(pool, '?view=list');
      await has(rows(), 'resting');
      await has(rows(), 'being cleaned');
      await has(rows(), 'out of service');
      await has(rows(), 'held');
      await has(page.locator('.figure.utilisation'), '0 free, 1 being cleaned, 1 resting, 1 out of service');
      await button('Not ready').click();
      await has(page.locator('.matching'), '3 tokens match');
      await release(d.token_id, { condition: 'dirty' });
      await has(rows(), 'dirty');
      await button('Board').click();
      await has(page.locator('.board-legend'), 'Dirty: waits to be cleaned');
      await page.getByRole('listbox').focus();
      await has(page.locator('#board-option'), /resting|dirty|out of service|cleaned by janitor/);
    });

    test('what needs attention is listed with why, by whom and since when, and enabled with a note', async () => {
      const pool = await makePool({ size: 2 });
      const a = await allocate(pool, 'ann');
      const b = await allocate(pool, 'bob');
      await release(a.token_id, { condition: 'broken', note: 'the disk is full' });
      await openPool(pool);
      await has(needy(), /out of service.*the disk is full, by a client, (now|\d+ s ago)/s);
      await release(b.token_id, { condition: 'dirty' });
      await has(needy(), /dirty.*Waits for somebody who cleans it, (now|\d+ s ago)/s);
      await page.reload();
      await has(needy(), /dirty.*Waits for somebody who cleans it, (now|\d+ s ago)/s);
      await needy().first().getByPlaceholder('Note').fill('a new disk');
      await needy().first().getByRole('button', { name: 'Enable' }).click();
      await has(happenings(), 'a new disk');
      await gone(needy().filter({ hasText: 'the disk is full' }));
      expect(await ask('GET', `/api/tokens/${a.token_id}`)).toMatchObject({
        status: 'available',
        disabled_reason: null,
      });
    });

    test('a token that is enabled while it is dirty shows as dirty', async () => {
      const pool = await makePool({ after_use: 'clean' });
      const { token_id } = await allocate(pool, 'ann');
      await release(token_id, { condition: 'broken', note: 'x' });
      await openPool(pool, '?view=list');
      await has(rows(), 'out of service');
      await button('Enable').click();
      await has(rows(), 'dirty');
    });

    test('a token is taken out of service, now or when it is free, and released with a report', async () => {
      const pool = await makePool({ size: 2 });
      const a = await allocate(pool, 'ann');
      const b = await allocate(pool, 'bob');
      await openPool(pool, `?token=${a.token_id}`);
      await panel().getByRole('button', { name: 'Disable…' }).click();
      await dialog().getByLabel('Reason').fill('it smells');
      await dialog().getByRole('button', { name: 'Disable when free' }).click();
      await has(panel(), /it smells.*Out of service at the end of its lease/s);
      await panel().getByRole('button', { name: 'Enable' }).click();
      await panel().getByRole('button', { name: 'Disable…' }).click();
      await dialog().getByLabel('Reason').fill('it burns');
      await dialog().getByRole('button', { name: 'End the lease and disable' }).click();
      await has(panel(), /out of service.*it burns/s);
      expect(await ask('GET', `/api/tokens/${a.token_id}`)).toMatchObject({ status: 'disabled' });
      await openPool(pool, `?token=${b.token_id}`);
      await panel().getByRole('button', { name: 'Report…' }).click();
      await dialog().getByLabel('Broken').check();
      await dialog().getByLabel('Note').fill('no signal');
      await dialog().getByRole('button', { name: 'Release' }).click();
      await has(panel(), 'no signal');
      expect(await ask('GET', `/api/tokens/${b.token_id}`)).toMatchObject({ disabled_reason: 'no signal' });
    });
  });

  test('a key without the scope operate sees line and states, and no button that would be refused', async () => {
    const locked = await startApp({ AUTH: 'keys', POOL_SIZE: '3' });
    const keys = await openKeys(locked.databaseUrl);
    const [admin, user] = [await keys.create(), await keys.create({ scopes: ['read', 'use'] })];
    const as = { url: locked.url, key: user.key };
    const pool = { name: 'desks', kind: 'fixed', size: 2, on_exhausted: 'reject', max_waiting: 5 };
    await ask('POST', '/api/pools', pool, { url: locked.url, key: admin.key });
    const broken = await ask('POST', '/api/tokens/allocate', { pool: 'desks', holder: 'ann' }, as);
    await ask('POST', `/api/tokens/${broken.token_id}/release`, { condition: 'broken', note: 'x' }, as);
    await ask('POST', '/api/tokens/allocate', { pool: 'desks', holder: 'ann' }, as);
    await ask('POST', '/api/tickets', { pool: 'desks', holder: 'bob' }, as);
    const refused = page.waitForResponse((answer) => answer.status() === 403);
    await page.goto(`${locked.url}/console/pools/desks`);
    await page.getByLabel('Key', { exact: true }).fill(user.key);
    await button('Use this key').click();
    await refused;
    await has(needy(), 'out of service');
    await has(places(), 'waits since');
    expect(await button(/Enable|Remove the place/).count()).toBe(0);
    await page.goto('about:blank');
    await keys.close();
    await locked.close();
  });

  test.each(['light', 'dark'] as const)('axe finds nothing, and everything fits a phone (%s)', async (colorScheme) => {
    const pool = await makePool({ size: 5, after_use: 'clean', max_waiting_per_user: 9 });
    const [a, b] = await Promise.all(['ann', 'bob', 'cem', 'dee', 'eve'].map((holder) => allocate(pool, holder)));
    await release(a.token_id);
    await release(b.token_id, { condition: 'broken', note: 'the display is cracked' });
    await queue(pool, 'fay', { count: 2 });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 });
      for (const view of ['board', 'list']) {
        await openPool(pool, `?view=${view}`);
        await has(places(), 'fay');
        expect(await violationsOf(page)).toEqual([]);
        const overflow = page.locator('html').evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
        expect(await overflow).toBe(0);
      }
      await button('Change…').click();
      await page.getByLabel('Places in line').waitFor();
      expect(await violationsOf(page)).toEqual([]);
    }
  });
});
