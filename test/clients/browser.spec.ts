// The client in Chromium, as the modules that are published, without a bundler. Skipped where there is no Chromium.

import { join } from 'node:path';
import { startApp, type TestApp } from '../support/app.js';
import { chromiumPath, launchChromium } from '../support/browser.js';
import { publishedPackages, type Packages } from './packages.js';

const PAGE = `<!doctype html>
<script type="importmap">{ "imports": { "openapi-fetch": "/modules/openapi-fetch/dist/index.mjs" } }</script>
<script type="module">
  import { TokenPoolClient } from '/modules/@token-pool/client/dist/index.js';
  const pool = new TokenPoolClient(location.origin).pool();
  const work = async () => {
    const fence = await pool.withLease((lease) => lease.fence);
    const events = [];
    for await (const { event } of pool.watch({ after: 100 })) if (events.push(event) === 2) break;
    const refusal = await pool.generate().catch(({ name, code }) => name + ' ' + code);
    return { fence, events, refusal };
  };
  window.result = await work().catch(String);
</script>`;

let app: TestApp;
let packages: Packages;
beforeAll(async () => {
  app = await startApp();
  packages = await publishedPackages();
});
afterAll(async () => {
  await packages.remove();
  await app.close();
});

if (chromiumPath === undefined) console.warn('There is no Chromium here: the test of the client in it is skipped.');

(chromiumPath === undefined ? test.skip : test)('the client works in a browser', async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.route(`${app.url}/page`, (route) => route.fulfill({ contentType: 'text/html', body: PAGE }));
    await page.route(`${app.url}/modules/**`, (route) => {
      const path = join(packages.modules, new URL(route.request().url()).pathname.slice('/modules/'.length));
      return route.fulfill({ contentType: 'text/javascript', path });
    });
    await page.goto(`${app.url}/page`);
    await page.waitForFunction('window.result');
    expect(await page.evaluate('window.result')).toEqual({
      fence: 1,
      events: ['activated', 'released'],
      refusal: 'TokenPoolError pool_is_fixed',
    });
  } finally {
    await browser.close();
  }
});
