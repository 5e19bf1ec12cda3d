// Tokens of a listed pool, searched by their names and their attributes.

import type { Attributes } from '@app/tokens';
import { startApp, type TestApp } from '../support/app.js';
import { clientOf, expectProblem, type Ask, type Json } from './client.js';

let app: TestApp;
let ask: Ask;

const PHONES: [name: string, attributes: Attributes][] = [
  ['+49 30 1', { country: 'de', os: 14, sim: true }],
  ['+33 1 2', { country: 'fr', os: 14 }],
  ['Zürich', { country: 'ch', note: 'a=b&c' }],
];

beforeAll(async () => {
  app = await startApp();
  ask = clientOf(app);
  await ask('POST', '/api/pools', { name: 'phones', kind: 'listed' });
  const tokens = PHONES.map(([name, attributes]) => ({ name, attributes }));
  expect((await ask('PUT', '/api/pools/phones/tokens', { tokens })).body).toMatchObject({ added: 3 });
});
afterAll(() => app.close());

const LISTS = ['/api/tokens', '/api/tokens/available', '/api/tokens?status=all'];

test.each<[query: string, names: string[]]>([
  ['', ['+33 1 2', '+49 30 1', 'Zürich']],
  ['&name=Z%C3%BCrich', ['Zürich']],
  // The same name, decomposed.
  ['&name=Zu%CC%88rich', ['Zürich']],
  ['&name=%2B49+30+1&attribute.country=de', ['+49 30 1']],
  ['&name=%2B49+30+1&attribute.country=fr', []],
  ['&attribute.os=14', ['+33 1 2', '+49 30 1']],
  ['&attribute.os=14&attribute.sim=true', ['+49 30 1']],
  ['&attribute.note=a%3Db%26c', ['Zürich']],
  ['&attribute.country=', []],
  ['&attribute.constructor=x', []],
])('%s finds %j', async (query, names) => {
  for (const list of LISTS) {
    const { status, body } = await ask('GET', `${list}${list.includes('?') ? '&' : '?'}pool=phones${query}`);
    expect(status).toBe(200);
    expect(body.tokens.map(({ name }: Json) => name).sort()).toEqual(names);
  }
});

test('a token is shown with its name and its attributes', async () => {
  const { body } = await ask('GET', '/api/tokens?pool=phones&attribute.country=de');
  const shown = { name: '+49 30 1', attributes: { country: 'de', os: 14, sim: true }, lease_metadata: null };
  expect(body.tokens).toMatchObject([shown]);
  expect((await ask('GET', `/api/tokens/${body.tokens[0].id}`)).body).toMatchObject(shown);
  expect((await ask('GET', '/api/tokens?pool=default&attribute.country=de')).body.tokens).toEqual([]);
});

test.each<[query: string, names: RegExp]>([
  ['attribute=de', /"attribute" in the query is not known/],
  ['attribute[country]=de', /in the query is not known/],
  ['attributes.country=de', /"attributes.country" in the query is not known/],
  ['.country=de', /".country" in the query is not known/],
  ['pool.x=phones', /"pool.x" in the query is not known/],
  ['attribute.=de', /attribute must be given as/],
  ['attribute.Country=de', /attribute must be given as/],
  ['attribute.a.b=de', /attribute must be given as/],
  ['attribute.__proto__=de', /attribute must be given as/],
  ['attribute.@pool=phones', /attribute must be given as/],
  [`attribute.${'k'.repeat(41)}=de`, /attribute must be given as/],
  ['attribute.country=de&attribute.country=fr', /attribute must be given as/],
  ['attribute.country=%00', /attribute must be given as/],
  [Array.from({ length: 33 }, (_, n) => `attribute.k${n}=1`).join('&'), /at most 32/],
  ['name=a&name=b', /name must be/],
  ['name=', /name must be/],
  ['name=%00', /name must be/],
])('%s is refused', async (query, detail) => {
  for (const list of ['/api/tokens', '/api/tokens/available', '/api/tokens/active']) {
    const answer = await ask('GET', `${list}?pool=phones&${query}`);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.detail).toMatch(detail);
  }
});

test('only lists of tokens are searched', async () => {
  expectProblem(await ask('GET', '/api/pools?attribute.country=de'), 400, 'invalid_request');
  expectProblem(await ask('GET', '/api/leases?holder=a&attribute.country=de'), 400, 'invalid_request');
});
