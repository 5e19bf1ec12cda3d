// Asks a running service what a newcomer asks first, and is strict about the answers: node .ci/ask.mjs http://127.0.0.1:4000
// Expects the pools of a first start on an empty database (contract: 100 tokens, of which none was ever asked for).
import assert from 'node:assert/strict';
import { pathToFileURL, URL } from 'node:url';

async function answer(base, path, init) {
  const response = await fetch(base + path, { ...init, signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  assert.ok(response.headers.get('x-request-id') || !path.startsWith('/api/'), `${path}: no x-request-id`);
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, body: isJson ? JSON.parse(text) : text };
}

/** The ids of all tokens of the default pool, in no order that means anything. */
export async function tokenIds(base) {
  const { status, body } = await answer(base, '/api/tokens');
  assert.equal(status, 200);
  return body.tokens.map(({ id }) => id).sort();
}

export async function ask(base) {
  for (const path of ['/health/live', '/health/ready']) assert.equal((await answer(base, path)).status, 200, path);

  assert.equal((await tokenIds(base)).length, 100, 'a fresh service has 100 tokens');

  const grant = await answer(base, '/api/tokens/allocate', { method: 'POST' });
  assert.equal(grant.status, 200, JSON.stringify(grant.body));
  assert.equal(grant.body.status, 'active');
  assert.equal(grant.body.fence, 1);
  assert.equal(grant.body.evicted, null);

  const active = await answer(base, '/api/tokens/active');
  assert.deepEqual(
    active.body.tokens.map(({ id }) => id),
    [grant.body.token_id],
  );

  const refused = await answer(base, '/api/tokens?status=odd');
  assert.equal(refused.status, 400);
  assert.equal(refused.body.error, 'invalid_status');

  const document = await answer(base, '/openapi.json');
  assert.match(document.body.openapi, /^3\.1\./);
  assert.ok(document.body.paths['/api/tokens/allocate'], 'openapi.json does not know allocate');
  assert.equal((await answer(base, '/docs')).status, 200, '/docs');
  const page = await answer(base, '/');
  const [, script] = /src="([^"]+\.js)"/.exec(page.body) ?? [];
  assert.ok(script, '/ does not lead to the console');
  // It is named relative to the page, which may stand below a path of a proxy.
  const { pathname } = new URL(script, `${base}/console`);
  assert.equal((await answer(base, pathname)).status, 200, pathname);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await ask(process.argv[2]);
  console.log(`${process.argv[2]} answers as a fresh service should`);
}
