// The document: the one that is served is the one that is committed, and keeps the rules that generators need.

import type { OpenAPIObject } from '@nestjs/swagger';
import { inOpenApi30 } from '../../apps/api/src/openapi/openapi-3.0.js';
import { startApp, type TestApp } from '../support/app.js';
import { clientOf, openapi, type Ask, type Json } from './client.js';

let app: TestApp;
let ask: Ask;

beforeAll(async () => {
  app = await startApp({ POOL_SIZE: '1' });
  ask = clientOf(app);
});
afterAll(() => app.close());

const operations: Json[] = Object.values(openapi.paths).flatMap((path) => Object.values(path));
const operationsOf = ({ paths }: Json): string[] =>
  Object.entries<Json>(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));

test('the document that is served is openapi.json: after a change, `npm run openapi` writes it', async () => {
  const { status, headers, body } = await ask('GET', '/openapi.json');
  expect(status).toBe(200);
  expect(headers.get('content-type')).toMatch(/^application\/json/);
  expect(body).toEqual(openapi);
  expect(body).toMatchObject({ openapi: '3.1.0', servers: [{ url: '/' }], info: { license: { name: 'MIT' } } });
});

test('the same document in OpenAPI 3.0 is served, too', async () => {
  const { status, body } = await ask('GET', '/openapi-3.0.json');
  expect(status).toBe(200);
  expect(body).toEqual(inOpenApi30(openapi as unknown as OpenAPIObject));
  expect(body.openapi).toBe('3.0.3');
  expect(operationsOf(body)).toEqual(operationsOf(openapi));
  // What 3.0 has no words for: no null among the types, nothing beside a reference.
  expect(JSON.stringify(body)).not.toMatch(/"null"|"exclusiveMinimum":\d|"\$ref":"[^"]+",|,"\$ref"/);
});

test('the page to read it is served', async () => {
  const { status, body } = await ask('GET', '/docs');
  expect(status).toBe(200);
  expect(body).toMatch(/swagger-ui/);
  expect((await ask('GET', '/docs/swagger-ui-bundle.js')).status).toBe(200);
});

test.each(['/openapi.json', '/openapi-3.0.json', '/docs', '/docs/swagger-ui-bundle.js'])(
  '%s is packed for who takes it so, and not sent to who has it',
  async (path) => {
    const plain = await fetch(`${app.url}${path}`, { headers: { 'accept-encoding': 'identity' } });
    const packed = await fetch(`${app.url}${path}`, { headers: { 'accept-encoding': 'gzip, br' } });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(packed.headers.get('vary')).toMatch(/accept-encoding/i);
    expect(await packed.text()).toBe(await plain.text());
    const etag = plain.headers.get('etag') as string;
    expect(packed.headers.get('etag')).toBe(etag);
    const known = await fetch(`${app.url}${path}`, { headers: { 'if-none-match': etag } });
    expect({ status: known.status, body: await known.text() }).toEqual({ status: 304, body: '' });
    const other = await fetch(`${app.url}${path}`, { headers: { 'if-none-match': '"another"' } });
    expect(other.status).toBe(200);
  },
);

test('the page finds its files at both of its addresses', async () => {
  for (const address of ['/docs', '/docs/']) {
    const html = await (await fetch(`${app.url}${address}`)).text();
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(
      ([, file]) => new URL(file!, `${app.url}${address}`),
    );
    expect(files).toHaveLength(4);
    for (const file of files)
      expect({ file: file.href, status: (await fetch(file)).status }).toMatchObject({ status: 200 });
  }
});

test('every route of the contract is in it', () => {
  const routes = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.sort()).toEqual(
    [
      'POST /api/tokens/allocate',
      'POST /api/tickets',
      'POST /api/tickets/{id}/claim',
      'GET /api/tickets/{id}',
      'DELETE /api/tickets/{id}',
      'GET /api/pools/{name}/tickets',
      'POST /api/tokens/{id}/release',
      'POST /api/tokens/release/{id}',
      'POST /api/tokens/{id}/keep-alive',
      'POST /api/tokens/{id}/disable',
      'POST /api/tokens/{id}/enable',
      'POST /api/pools/{name}/clean',
      'GET /api/tokens',
      'GET /api/tokens/available',
      'GET /api/tokens/active',
      'GET /api/tokens/{id}',
      'GET /api/tokens/{id}/events',
      'GET /api/tokens/{id}/history',
      'GET /api/leases',
      'POST /api/leases/release',
      'POST /api/leases/verify',
      'POST /api/tokens/cleanup',
      'DELETE /api/tokens/clear-active',
      'POST /api/tokens',
      'PATCH /api/tokens/{id}',
      'PUT /api/pools/{name}/tokens',
      'DELETE /api/tokens/{id}',
      'GET /api/pools',
      'GET /api/pools/{name}',
      'POST /api/pools',
      'PATCH /api/pools/{name}',
      'DELETE /api/pools/{name}',
      'GET /api/pools/{name}/audit',
      'GET /api/pools/{name}/events',
      'GET /api/pools/{name}/events/stream',
      'POST /generate-token',
      'POST /assign-token',
      'POST /keep-alive',
      'POST /unblock-token',
      'POST /delete-token',
      'DELETE /delete-token',
      'GET /api/keys',
      'POST /api/keys',
      'POST /api/keys/{id}/rotate',
      'DELETE /api/keys/{id}',
      'GET /health/live',
      'GET /health/ready',
    ].sort(),
  );
});

test('operations have one name and one tag each', () => {
  const ids = operations.map(({ operationId }) => operationId as string);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z]+([A-Z][a-z]+)+$/);
  for (const { tags } of operations) expect(tags).toHaveLength(1);
});

test('every operation but those for everybody says which scopes of a key will do, and goes without where it is open', () => {
  expect(openapi.components).toMatchObject({ securitySchemes: { key: { type: 'http', scheme: 'bearer' } } });
  for (const operation of operations) {
    const { operationId, security, description, responses, 'x-scopes': scopes } = operation;
    if (['getLiveness', 'getReadiness'].includes(operationId)) {
      expect(security).toBeUndefined();
      continue;
    }
    expect(security).toEqual([{ key: [] }, {}]);
    for (const scope of scopes) expect(description).toMatch(new RegExp(`Scope of the key: .*\\b${scope}\\b`));
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '429']));
    expect(responses['401'].headers).toHaveProperty('www-authenticate');
    expect(responses['429'].headers).toHaveProperty('retry-after');
  }
});

test('every error has the one schema, its own media type and an example', () => {
  for (const { responses } of operations) {
    for (const [status, { content, headers }] of Object.entries<Json>(responses)) {
      expect(headers).toHaveProperty('x-request-id');
      if (Number(status) < 400) continue;
      expect(Object.keys(content)).toEqual(['application/problem+json']);
      const { schema, examples } = content['application/problem+json'];
      expect(schema).toEqual({ $ref: '#/components/schemas/Problem' });
      for (const { value } of Object.values<Json>(examples)) expect(value.status).toBe(Number(status));
      expect(Object.keys(examples)).not.toHaveLength(0);
    }
  }
});

test('whether a body may be left out is said as it is', () => {
  const optional = operations.filter(({ requestBody }) => requestBody?.required === false);
  expect(optional.map(({ operationId }) => operationId as string).sort()).toEqual([
    'allocateToken',
    'changePool',
    'changeToken',
    'claimTicket',
    'cleanToken',
    'createTicket',
    'createToken',
    'enableToken',
    'releaseActiveTokens',
    'releaseToken',
    'releaseTokenById',
    'rotateKey',
  ]);
});

test('schemas are named for clients, and no enum is written twice or wrapped', () => {
  const text = JSON.stringify(openapi);
  expect(text).not.toMatch(/"\w*Dto"|"allOf"|"nullable"/);
  const enums = text.match(/"enum":\[("[^\]]+")\]/g) ?? [];
  expect(new Set(enums).size).toBe(enums.length);
});
