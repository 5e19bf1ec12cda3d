// The check that every answer of the tests goes through sees what a change to an answer without one to the document makes.

import { mustBeDocumented, type Answer } from '../support/documented.js';

const JSON_TYPE = 'application/json; charset=utf-8';
const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';
const ID = '6d1c0f5e-0b7b-4c59-9d3e-2f2f2a0f5c11';
const PATH = `/api/tokens/${ID}/release`;

const RELEASE = { ok: true, token_id: ID, status: 'available' };
const PROBLEM = {
  type: 'urn:problem-type:token-pool:token_not_active',
  title: 'The token has no open lease',
  status: 404,
  detail: 'it has none',
  error: 'token_not_active',
  request_id: 'r-1',
};

const answer = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  body,
  headers: new Headers({
    'x-request-id': 'r-1',
    'content-type': status < 400 ? JSON_TYPE : PROBLEM_TYPE,
    ...headers,
  }),
});

test('what is documented goes through', () => {
  mustBeDocumented('POST', PATH, answer(200, RELEASE));
  mustBeDocumented('POST', PATH, answer(200, RELEASE, { 'idempotency-replayed': 'true' }));
  mustBeDocumented('POST', PATH, answer(404, PROBLEM));
  mustBeDocumented('GET', '/nowhere?a=b', answer(404, { ...PROBLEM, error: 'route_not_found' }));
  mustBeDocumented('HEAD', '/api/pools', answer(200, ''));
  mustBeDocumented('OPTIONS', PATH, answer(204, '', { 'content-type': '' }));
  mustBeDocumented('GET', '/metrics', answer(200, '# HELP', { 'content-type': 'text/plain' }));
});

const { token_id: _, ...incomplete } = RELEASE;

test.each<[string, string, string, Answer, RegExp]>([
  ['a field more', 'POST', PATH, answer(200, { ...RELEASE, fence: 1 }), /unevaluatedProperty":"fence/],
  ['a field less', 'POST', PATH, answer(200, incomplete), /missingProperty":"token_id/],
  ['a field of another type', 'POST', PATH, answer(200, { ...RELEASE, token_id: 7 }), /must be string/],
  ['a field of another form', 'POST', PATH, answer(200, { ...RELEASE, token_id: '7' }), /must match format/],
  ['a word more', 'POST', PATH, answer(200, { ...RELEASE, status: 'free' }), /must be equal to one of/],
  ['a field more in an error', 'POST', PATH, answer(404, { ...PROBLEM, stack: 'at' }), /unevaluatedProperty":"stack/],
  ['an error without its code', 'POST', PATH, answer(404, { ...PROBLEM, error: undefined }), /knows no error/],
  ['another code', 'POST', PATH, answer(404, { ...PROBLEM, error: 'pool_not_found' }), /knows no error/],
  ['a code of another status', 'POST', PATH, answer(409, PROBLEM), /knows no error token_not_active of 409/],
  ['another status', 'POST', PATH, answer(201, RELEASE), /knows no 201/],
  ['another media type', 'POST', PATH, answer(200, RELEASE, { 'content-type': 'text/plain' }), /knows no text.plain/],
  ['an error as plain JSON', 'POST', PATH, answer(404, PROBLEM, { 'content-type': JSON_TYPE }), /knows no application/],
  ['another header', 'POST', PATH, answer(200, RELEASE, { 'retry-after': '1' }), /knows no header retry-after/],
  ['another route', 'GET', '/api/things', answer(200, RELEASE), /knows no such route/],
  ['another method', 'PUT', PATH, answer(200, RELEASE), /knows no such route/],
  ['a body after HEAD', 'HEAD', '/api/pools', answer(200, { pools: [] }), /allows no body/],
  [
    'a field more in a refusal without a route',
    'GET',
    '/nowhere',
    answer(404, { ...PROBLEM, error: 'route_not_found', stack: 'at' }),
    /unevaluatedProperty":"stack/,
  ],
])('%s is a mistake', (_, method, path, planted, mistake) => {
  expect(() => mustBeDocumented(method, path, planted)).toThrow(mistake);
});
