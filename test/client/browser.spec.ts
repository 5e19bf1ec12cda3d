// The client in Chromium, as the modules that are published, without a bundler. Skipped where there is no Chromium.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startApp, type TestApp } from '../support/app.js';
import { publishedPackages, type Packages } from './packages.js';

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => !spawnSync(name, ['--version']).error,
);

const PAGE = `<!doctype html>
<script type="importmap">{ "imports": { "openapi-fetch": "/openapi-fetch/dist/index.mjs" } }</script>
<script type="module">
  import { TokenPoolClient } from '/@token-pool/client/dist/index.js';
  const tell = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) });
  try {
    const pool = new TokenPoolClient(location.origin).pool();
    const events = [];
    const fence = await pool.withLease(async (lease) => lease.fence);
    for await (const { event } of pool.watch({ after: 100 })) if (events.push(event) === 2) break;
    const refusal = await pool.generate().catch(({ name, code }) => name + ' ' + code);
    await tell({ fence, events, refusal });
  } catch (error) {
    await tell({ error: String(error) });
  }
</script>`;

let app: TestApp;
let server: Server;
let packages: Packages;
let browser: ChildProcess | undefined;
let told: (result: unknown) => void;
const result = new Promise((resolve) => (told = resolve));

beforeAll(async () => {
  app = await startApp();
  packages = await publishedPackages();
  // One origin for the page, its modules and the service.
  server = createServer((req, res) => void serve(req, res).catch(() => res.destroy())).listen(0, '127.0.0.1');
  await once(server, 'listening');
}, 120_000);
afterAll(async () => {
  if (browser) {
    browser.kill('SIGKILL');
    await once(browser, 'close');
  }
  server.closeAllConnections();
  server.close();
  await app.close();
  await packages.remove();
});

async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { url = '', method, headers } = req;
  if (url === '/') return void res.setHeader('content-type', 'text/html').end(PAGE);
  if (url === '/result') {
    let body = '';
    for await (const bytes of req) body += String(bytes);
    told(JSON.parse(body));
    return void res.end();
  }
  if (url.startsWith('/api/')) {
    const asked = request(new URL(url, app.url), { method, headers }, (answer) => {
      answer.pipe(res.writeHead(answer.statusCode!, answer.headers));
    });
    return void req.pipe(asked);
  }
  if (!/^\/[\w@./-]+\.m?js$/.test(url)) return void res.writeHead(404).end();
  res.setHeader('content-type', 'text/javascript').end(await readFile(join(packages.modules, url)));
}

(CHROMIUM ? test : test.skip)('the client works in a browser', async () => {
  const { port } = server.address() as AddressInfo;
  const options = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    `--user-data-dir=${join(packages.folder, 'profile')}`,
  ];
  browser = spawn(CHROMIUM!, [...options, `http://127.0.0.1:${port}/`], { stdio: 'ignore' });
  expect(await result).toEqual({
    fence: 1,
    events: ['activated', 'released'],
    refusal: 'TokenPoolError pool_is_fixed',
  });
});
