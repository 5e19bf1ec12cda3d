// The console for listed pools, as people use it: in a real Chromium, on the real service.

import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { startApp, type TestApp } from '../support/app.js';
import { buildConsole, chromiumPath, complaintsOf, launchChromium, violationsOf } from '../support/browser.js';
import { bearer, openKeys } from '../support/keys.js';

const inChromium = chromiumPath === undefined ? describe.skip : describe;
const SECRETS_KEY = Buffer.alloc(32, 7).toString('base64');

inChromium('things in the console (skipped where there is no Chromium)', () => {
  let app: TestApp;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    await buildConsole();
    app = await startApp({ POOL_SIZE: '3', SECRETS_KEY });
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
    await app.close();
  });
  beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    page = await context.newPage();
    page.setDefaultTimeout(60_000);
    complaints = complaintsOf(page);
  });
  afterEach(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the answers of many routes
  async function ask(method: string, path: string, body?: object, key?: string): Promise<any> {
    const headers = { ...(key && bearer(key)), ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(app.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    return response.json();
  }

  let pools = 0;
  interface Given {
    readonly name: string;
    readonly attributes?: object;
    readonly secret?: object;
  }
  /** Creates a listed pool with these things. */
  async function makePool(things: readonly Given[] = []): Promise<string> {
    const name = `things-${++pools}`;
    await ask('POST', '/api/pools', { name, kind: 'listed' });
    for (let at = 0; at < things.length; at += 1000) {
      const tokens = things.slice(at, at + 1000);
      expect(await ask('PUT', `/api/pools/${name}/tokens`, { tokens })).toMatchObject({ added: tokens.length });
    }
    return name;
  }

  const openPool = async (name: string, query = ''): Promise<void> => {
    await page.goto(`${app.url}/console/pools/${name}${query}`);
    await page.getByRole('heading', { name: 'Tokens', exact: true }).waitFor();
  };
  const button = (name: string | RegExp): Locator =>
    page.getByRole('button', { name, exact: typeof name === 'string' });
  const dialog = (): Locator => page.getByRole('dialog');
  const panel = (): Locator => page.locator('.token-panel');
  const rows = (): Locator => page.locator('.token-list tbody tr:not([aria-hidden])');
  const happenings = (): Locator => page.locator('.happening');
  const has = (locator: Locator, text: string | RegExp): Promise<void> =>
    locator.filter({ hasText: text }).first().waitFor();
  const gone = (locator: Locator): Promise<void> => locator.first().waitFor({ state: 'detached' });
  const namesInList = (): Promise<string[]> => page.locator('.token-list tbody .token-name').allTextContents();
  const thingsOf = async (pool: string): Promise<unknown[]> => {
    const { tokens } = await ask('GET', `/api/tokens?pool=${pool}`);
    return tokens
      .map(({ name, attributes }: Given) => [name, attributes])
      .sort(([a]: [string], [b]: [string]) => (a < b ? -1 : 1));
  };

  const PHONES: readonly Given[] = [
    { name: 'phone 2', attributes: { os: '14', country: 'de' }, secret: { pin: '0042' } },
    { name: 'phone 10', attributes: { os: '15', country: 'de', sim: true } },
    { name: 'phone 1', attributes: { os: '14', country: 'fr' } },
  ];

  test('a listed pool is created, and things are imported after a look at what will change', async () => {
    await page.goto(`${app.url}/console`);
    await button('Create a pool').click();
    await dialog().getByLabel('Name').fill('phones');
    await dialog().getByLabel('Listed').check();
    await has(dialog().locator('.in-words'), 'Up to 100,000 tokens, each a thing of your own');
    await button('Create pool').click();
    await button('Allocate').click();
    await has(page.locator('.page-actions').getByRole('alert'), 'import your things first');

    await button('Import your things').click();
    const list = dialog().getByLabel('Things', { exact: true });
    await list.fill('name,os,OS\na,14,15');
    await has(dialog(), 'Line 1 "OS" is no name of an attribute');
    await list.fill('name,os,secret.pin\nJose\u0301,14,0042\nb,14\nJosé,15,\nJosé,15,\nc,9,1');
    await has(dialog(), 'Nothing can be imported yet: 3 problems');
    await has(dialog().getByRole('listitem'), 'Line 3 cells in this row: 2, columns: 3');
    await has(dialog().getByRole('listitem'), 'Line 4 the name "José" is that of line 2: only the encoding');
    await has(dialog().getByRole('listitem'), 'Line 5 the name "José" is that of line 2');
    expect(await button('Import 2 things').isDisabled()).toBe(true);
    expect(await violationsOf(page)).toEqual([]);
    await list.fill('\uFEFFname,os,secret.pin\r\nJosé,14,0042\r\n"b, ""2""",14,\r\nc,9,1\r\n');
    await has(dialog(), '3 new, 0 changed, 0 unchanged');
    await has(dialog().getByRole('listitem'), 'new b, "2" os 14');
    expect(await dialog().getByRole('list', { name: 'Changes' }).innerText()).not.toContain('0042');
    expect(await violationsOf(page)).toEqual([]);
    await button('Import 3 things').click();
    await has(dialog().getByRole('status'), 'Done: 3 added, 0 changed, 0 unchanged.');
    await dialog().locator('.dialog-foot').getByRole('button', { name: 'Close' }).click();
    await gone(dialog());
    await has(page.locator('.utilisation dd'), '0 of 3 tokens');
    await has(happenings(), 'Added b, "2"put into the pool');

    await button('Import…').click();
    const things = [{ name: 'c', attributes: { os: 9 } }, { name: 'd' }, { name: 'José', attributes: { os: '14' } }];
    const choose = (list: unknown): Promise<void> =>
      dialog()
        .getByLabel('Or a file')
        .setInputFiles({ name: 'a.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(list)) });
    await choose(things);
    await has(dialog(), '1 new, 1 changed, 1 unchanged');
    const latin1 = { name: 'old.csv', mimeType: 'text/csv', buffer: Buffer.from('name\nJosé', 'latin1') };
    await dialog().getByLabel('Or a file').setInputFiles(latin1);
    await has(dialog().locator('.field-problem'), 'old.csv is not in UTF-8');
    await choose(things);
    await has(dialog(), '1 token left out: it stays');
    await has(dialog().getByRole('listitem'), 'changed c os 9 → 9');
    await dialog().getByLabel('Are deleted when free').check();
    await has(dialog(), '1 token left out: 1 deleted at once, 0 at the end of their leases.');
    await has(dialog().getByRole('listitem'), 'deleted b, "2"');
    await button('Import 3 things').click();
    await has(dialog().getByRole('status'), 'Done: 1 added, 1 changed, 1 unchanged, 1 deleted.');
    expect(await thingsOf('phones')).toEqual([
      ['José', { os: '14' }],
      ['c', { os: 9 }],
      ['d', {}],
    ]);
  });

  test('numbers and true or false of CSV are such when the reader says so', async () => {
    const name = await makePool();
    await openPool(name);
    await button('Import…').click();
    await dialog().getByLabel('Things', { exact: true }).fill('name,os,is_new\na,14,true');
    await dialog().getByLabel('In CSV, read numbers').check();
    await button('Import 1 thing').click();
    await has(dialog().getByRole('status'), 'Done: 1 added');
    expect(await thingsOf(name)).toEqual([['a', { os: 14, is_new: true }]]);
  });

  test('a refused import says why, and what was done before', async () => {
    const name = await makePool();
    await ask('PATCH', `/api/pools/${name}`, { size: 1 });
    await openPool(name);
    await button('Import…').click();
    await dialog().getByLabel('Things', { exact: true }).fill('name\na\nb');
    await has(dialog(), 'the pool may have 1 token, and would have 2');
    await dialog().getByLabel('Things', { exact: true }).fill('name\na');
    await page.route(`**/api/pools/${name}/tokens`, (route) =>
      route.fulfill({ status: 403, json: { error: 'pool_limit_reached', detail: 'the pool is full' } }),
    );
    await button('Import 1 thing').click();
    await has(dialog().getByRole('alert'), 'the pool is full');
    await has(dialog().getByRole('status'), 'Stopped after 0 of 1');
  });

  test('a long list goes in several requests, and can be stopped', async () => {
    const name = await makePool([{ name: 'left out' }, { name: 'held and left out' }]);
    await ask('POST', '/api/tokens/allocate', { pool: name, name: 'held and left out' });
    await openPool(name);
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    let sent = 0;
    await page.route(`**/api/pools/${name}/tokens`, async (route) => {
      if (++sent === 2) await held;
      await route.continue();
    });
    const text = ['name,os', ...Array.from({ length: 2500 }, (_, i) => `thing ${i},${i % 7}`)].join('\n');
    const importAll = async (): Promise<void> => {
      await button('Import…').click();
      await dialog()
        .getByLabel('Or a file')
        .setInputFiles({ name: 'things.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
      await dialog().getByLabel('Are deleted when free').check();
      await button('Import 2,500 things').click();
    };
    await importAll();
    await has(dialog(), '1,000 of 2,502…');
    await page.keyboard.press('Escape');
    go();
    await has(dialog().getByRole('status'), 'Stopped after 2,000 of 2,502: 2,000 added, 0 changed, 0 unchanged.');
    await dialog().locator('.dialog-foot').getByRole('button', { name: 'Close' }).click();
    await has(page.locator('.utilisation dd'), '1 of 2,002 tokens');
    await importAll();
    await has(
      dialog().getByRole('status'),
      'Done: 500 added, 0 changed, 2,000 unchanged, 1 deleted, 1 to be deleted at the end of its lease.',
    );
    await has(page.locator('.utilisation dd'), '1 of 2,501 tokens');
  });

  test('the list shows names and attributes, is sorted by any of them, and filtered by a value', async () => {
    const name = await makePool(PHONES);
    await openPool(name, '?view=list');
    expect(await namesInList()).toEqual(['phone 1', 'phone 2', 'phone 10']);
    expect(await page.locator('.token-list th').allInnerTexts()).toEqual([
      'Token ↑',
      'State',
      'User',
      'Time left',
      'os',
      'country',
      'sim',
    ]);
    await button('country').click();
    expect(await namesInList()).toEqual(expect.arrayContaining(['phone 1']));
    expect((await namesInList())[2]).toBe('phone 1');
    expect(await page.locator('th[aria-sort="ascending"]').innerText()).toBe('country ↑');
    await button('country').click();
    expect(await page.locator('th[aria-sort="descending"]').innerText()).toBe('country ↓');
    expect((await namesInList())[0]).toBe('phone 1');

    await rows().getByRole('button', { name: 'de' }).first().click();
    await has(page.locator('.matching'), '2 tokens match');
    await rows().getByRole('button', { name: '15' }).click();
    await has(page.locator('.matching'), '1 token matches');
    expect(await namesInList()).toEqual(['phone 10']);
    expect(new URL(page.url()).search).toContain('attribute.country=de&attribute.os=15');
    await button('country de').click();
    await button('Show all').click();
    await page.getByPlaceholder('Name or value…').fill('PHONE 2');
    await has(page.locator('.matching'), '1 token matches');
    await page.getByPlaceholder('Name or value…').fill('fr');
    await rows().getByRole('button', { name: 'phone 1', exact: true }).waitFor();
    expect(await namesInList()).toEqual(['phone 1']);

    // What others change appears by itself.
    const { tokens } = await ask('GET', `/api/tokens?pool=${name}`);
    const { id } = tokens.find((token: Given) => token.name === 'phone 1');
    await ask('PATCH', `/api/tokens/${id}`, { name: 'renamed', attributes: { country: 'fr', os: '16' } });
    await has(rows(), /renamed.*16.*fr/);
    await has(happenings(), /Changed renamed.*renamed from phone 1 to renamed, os 14 → 16/);
  });

  test('a token is allocated by its attributes or its name, and its secret is shown on demand and never kept', async () => {
    const name = await makePool(PHONES);
    await openPool(name);
    await button('Allocate with options').click();
    await button('Add an attribute').click();
    await dialog().getByLabel('Attribute 1', { exact: true }).selectOption('country');
    await dialog().getByLabel('Value of attribute 1').fill('es');
    await dialog().getByRole('button', { name: 'Allocate', exact: true }).click();
    await dialog().locator('.field-problem').waitFor();
    await dialog().getByLabel('Value of attribute 1').fill('de');
    await button('Add an attribute').click();
    await dialog().getByLabel('Attribute 2', { exact: true }).selectOption('os');
    await dialog().getByLabel('Value of attribute 2').fill('14');
    await button('Add an attribute').click();
    await dialog().getByLabel('Attribute 3', { exact: true }).selectOption('sim');
    await dialog().getByLabel('Holder').fill('ci-7');
    await dialog().getByRole('button', { name: 'Allocate', exact: true }).click();
    await gone(dialog());
    const lease = page.locator('.lease');
    await has(lease, 'phone 2');
    await has(lease, 'os 14, country de');
    const kept = (): Promise<string> =>
      page.evaluate<string>('JSON.stringify([{ ...sessionStorage }, { ...localStorage }, location.href])');
    expect(await page.locator('body').innerHTML()).not.toContain('0042');
    expect(await kept()).not.toContain('0042');
    await button('Show the secret').click();
    await has(lease, /pin\s*0042/);
    expect(await kept()).not.toContain('0042');
    await button('Hide the secret').click();
    expect(await page.locator('body').innerHTML()).not.toContain('0042');
    await page.reload();
    await button('Show the secret').click();
    await has(lease, /pin\s*0042/);

    // The same one is held, another one of that name is not there.
    await button('Allocate with options').click();
    await dialog().getByLabel('A certain token').fill('phone 2');
    await dialog().getByRole('button', { name: 'Allocate', exact: true }).click();
    await dialog().locator('.field', { hasText: 'A certain token' }).locator('.field-problem').waitFor();
    await dialog().getByLabel('A certain token').fill('phone 10');
    await dialog().getByRole('button', { name: 'Allocate', exact: true }).click();
    await gone(dialog());
    await has(lease, 'phone 10');
    await has(happenings(), 'Granted phone 10');

    const search = page.getByRole('search').getByRole('searchbox');
    await search.fill('ci-7');
    await search.press('Enter');
    await page.getByRole('link', { name: 'phone 2' }).click();
    await has(panel().locator('h2'), 'phone 2');
    await search.fill('phone 1');
    await search.press('Enter');
    await has(page.locator('main'), `A token of pool ${name}`);
  });

  test('a thing is added, changed, revoked with a note, and deleted when it is free', async () => {
    const name = await makePool();
    await openPool(name, '?view=list');
    await button('Add…').click();
    await dialog().getByLabel('Name').fill('desk 7');
    await dialog().getByRole('group', { name: 'Attributes' }).getByRole('button', { name: 'Add a value' }).click();
    await dialog().getByLabel('Attributes, key 1').fill('floor');
    await dialog().getByLabel('Attributes, value 1').fill('three');
    await dialog().getByLabel('Attributes, type 1').selectOption('number');
    await dialog().getByRole('group', { name: 'Secret' }).getByRole('button', { name: 'Add a value' }).click();
    await dialog().getByLabel('Secret, key 1').fill('pin');
    await dialog().getByLabel('Secret, value 1').fill('0042');
    await dialog().getByRole('button', { name: 'Add', exact: true }).click();
    await has(dialog().locator('.field-problem'), 'the value of floor must be a number');
    expect(await violationsOf(page)).toEqual([]);
    await dialog().getByLabel('Attributes, value 1').fill('3');
    await dialog().getByRole('button', { name: 'Add', exact: true }).click();
    await gone(dialog());
    await rows().getByRole('button', { name: 'desk 7' }).click();
    await has(panel().locator('.thing'), /floor\s*3/);
    const { tokens } = await ask('GET', `/api/tokens?pool=${name}`);
    expect(tokens).toMatchObject([{ name: 'desk 7', attributes: { floor: 3 } }]);
    await has(panel(), tokens[0].id as string);

    await button('Edit…').click();
    await dialog().getByLabel('Name').fill('desk 8');
    await dialog().getByLabel('Attributes, value 1').fill('4');
    await dialog().getByRole('button', { name: 'Change', exact: true }).click();
    await gone(dialog());
    await has(panel().locator('h2'), 'desk 8');
    await has(panel().locator('.thing'), /floor\s*4/);
    await button('Change the secret…').click();
    await dialog().getByLabel('Secret, key 1').fill('pin');
    await dialog().getByLabel('Secret, value 1').fill('7777');
    await button('Change the secret').click();
    await gone(dialog());
    await panel().getByRole('button', { name: 'All events' }).click();
    await has(panel().locator('.token-events li'), /Changed\s*its secret/);

    const lease = await ask('POST', '/api/tokens/allocate', { pool: name, holder: 'desk', metadata: { why: 'tour' } });
    expect(lease.secret).toEqual({ pin: '7777' });
    await has(panel().locator('.holder'), /desk.*"why": "tour"/s);
    await panel().getByRole('button', { name: 'Delete…' }).click();
    await has(dialog(), 'it goes at the end of its lease');
    expect(await violationsOf(page)).toEqual([]);
    await button('Delete when free').click();
    await gone(dialog());
    await has(panel().locator('.badges'), 'deleted at the end of its lease');
    await panel().getByRole('button', { name: 'Revoke…' }).click();
    await dialog().getByLabel('Reason').fill('the tour is over');
    await dialog().getByRole('button', { name: 'Revoke', exact: true }).click();
    await has(panel().locator('.badges'), 'deleted');
    await has(panel().locator('h2'), 'desk 8');
    await panel().getByRole('button', { name: 'Who had it' }).click();
    await has(panel().locator('.uses li'), 'the tour is over');
    await has(happenings(), 'the tour is over');
    await has(happenings(), 'Deleted desk 8');
  });

  test('a key without the scope operate sees the things, and no button that would be refused', async () => {
    const locked = await startApp({ AUTH: 'keys', POOL_SIZE: '3', SECRETS_KEY });
    const keys = await openKeys(locked.databaseUrl);
    const [admin, reader] = [await keys.create(), await keys.create({ scopes: ['read', 'use'] })];
    const send = (method: string, path: string, body: object): Promise<Response> =>
      fetch(locked.url + path, {
        method,
        headers: { ...bearer(admin.key), 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    await send('POST', '/api/pools', { name: 'phones', kind: 'listed' });
    expect((await send('PUT', '/api/pools/phones/tokens', { tokens: PHONES })).status).toBe(200);
    const openAs = async (key: string): Promise<void> => {
      await page.goto(`${locked.url}/console/pools/phones?view=list`);
      await page.getByLabel('Key', { exact: true }).fill(key);
      await button('Use this key').click();
      await rows().getByRole('button', { name: 'phone 10' }).click();
      await panel().locator('.thing').waitFor();
    };
    const refused = page.waitForResponse((answer) => answer.status() === 403);
    await openAs(reader.key);
    await refused;
    for (const name of ['Import…', 'Add…', 'Edit…', 'Change the secret…']) expect(await button(name).count()).toBe(0);
    expect(await panel().getByRole('button', { name: 'Delete…' }).count()).toBe(0);
    await button('Forget the key').click();
    await openAs(admin.key);
    for (const name of ['Import…', 'Add…', 'Edit…']) await button(name).waitFor();
    await page.goto('about:blank');
    await keys.close();
    await locked.close();
  });

  test.each(['light', 'dark'] as const)('axe finds nothing, and everything fits a phone (%s)', async (colorScheme) => {
    const name = await makePool(PHONES);
    await ask('POST', '/api/tokens/allocate', { pool: name, holder: 'ci-7' });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await openPool(name, '?view=list&attribute.country=de');
    await rows().getByRole('button', { name: 'phone 2' }).click();
    await panel().locator('.thing').waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await button('Edit…').click();
    expect(await violationsOf(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await button('Close this token').click();
    await button('Allocate with options').click();
    await button('Add an attribute').click();
    expect(await violationsOf(page)).toEqual([]);
    await openPool(name);
    await page.getByRole('listbox').focus();
    await has(page.getByRole('option'), /^Token phone \d+, /);
    expect(await violationsOf(page)).toEqual([]);

    await page.setViewportSize({ width: 360, height: 740 });
    const overflow = (): Promise<number> =>
      page.locator('html').evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
    await openPool(name, '?view=list');
    expect(await overflow()).toBe(0);
    await button('Import…').click();
    await dialog().getByLabel('Things', { exact: true }).fill('name,os\na,1');
    await has(dialog(), '1 new');
    expect(await overflow()).toBe(0);
    expect(await dialog().evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
  });

  test('among ten thousand things a key press in the filter takes less than 50 ms', async () => {
    const things = Array.from({ length: 10_000 }, (_, i) => ({
      name: `phone ${i}`,
      attributes: Object.fromEntries(Array.from({ length: 9 }, (_, j) => [`key_${j}`, `value ${(i * (j + 7)) % 113}`])),
    }));
    const name = await makePool(things);
    await openPool(name, '?view=list');
    await has(page.locator('.utilisation dd'), '0 of 10,000 tokens');
    await has(rows(), 'phone 0');
    const cpu = await context.newCDPSession(page);
    await cpu.send('Performance.enable', { timeDomain: 'threadTicks' });
    const spent = async (): Promise<number> => {
      const { metrics } = await cpu.send('Performance.getMetrics');
      return metrics.find((metric) => metric.name === 'TaskDuration')!.value * 1000;
    };
    const field = page.getByPlaceholder('Name or value…');
    await field.focus();
    const typed = 'phone 9876';
    const before = await spent();
    await page.keyboard.type(typed);
    await has(page.locator('.matching'), '1 token matches');
    const milliseconds = ((await spent()) - before) / typed.length;
    expect(milliseconds).toBeLessThan(50);
    expect(await namesInList()).toEqual(['phone 9876']);
  });
});
