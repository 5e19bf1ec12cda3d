// The document may not break what the last released one has promised, unless its version is raised for it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { releases } from '../../tools/release/released-service.js';
import { breakingChanges, mayBreak, type OpenApiDocument } from '../support/breaking-changes.js';
import { openapi, type Json } from '../support/documented.js';

const RELEASED = join(__dirname, `../released/openapi-${releases().at(-1)}.json`);
const released = JSON.parse(readFileSync(RELEASED, 'utf8')) as OpenApiDocument;

test('openapi.json breaks no client of the last release, or has a version that says so', () => {
  const breaks = breakingChanges(released, openapi as unknown as OpenApiDocument);
  const { version } = openapi.info;
  const isRaised = mayBreak(released.info.version, version);
  // To fix it: undo the break, or raise `version` in package.json (CONTRIBUTING.md, "The document and its releases").
  expect(isRaised ? [] : breaks).toEqual([]);
});

test.each([
  ['0.1.0', '0.2.0', true],
  ['0.1.9', '1.0.0', true],
  ['1.9.0', '2.0.0', true],
  ['0.1.0', '0.1.0', false],
  ['0.1.0', '0.1.1', false],
  ['0.2.0', '0.1.0', false],
  ['1.2.0', '1.3.0', false],
  ['2.0.0', '1.0.0', false],
  ['1.1.0', '0.2.0', false],
])('version %s followed by %s may break: %p', (earlier, later, expected) => {
  expect(mayBreak(earlier, later)).toBe(expected);
});

/** A document that has one of everything. */
const document = (): Json => ({
  openapi: '3.1.0',
  info: { version: '1.0.0' },
  paths: {
    '/desks/{id}': {
      post: {
        operationId: 'changeDesk',
        parameters: [
          { name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } },
          { name: 'by', in: 'query', required: false, schema: { $ref: '#/components/schemas/Sort' } },
          { name: 'limit', in: 'query', required: false, schema: { type: 'integer', minimum: 1, maximum: 100 } },
          { name: 'key', in: 'header', required: false, schema: { type: 'string', pattern: '^[a-z]+$' } },
        ],
        requestBody: {
          required: false,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/DeskBody' } } },
        },
        responses: {
          200: {
            headers: { 'x-request-id': { $ref: '#/components/headers/RequestId' } },
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Desk' } } },
          },
          404: { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
        },
      },
      delete: { operationId: 'removeDesk', responses: { 204: {} } },
    },
  },
  components: {
    headers: { RequestId: { schema: { type: 'string' } } },
    schemas: {
      Sort: { type: 'string', enum: ['name', 'age'] },
      DeskBody: {
        type: 'object',
        additionalProperties: false,
        required: ['name'],
        properties: {
          name: { type: 'string', minLength: 1, maxLength: 10 },
          note: { type: ['string', 'null'] },
          tags: { type: 'object', additionalProperties: { type: 'string' } },
          weight: { type: 'number', exclusiveMinimum: 0 },
        },
      },
      Desk: {
        type: 'object',
        required: ['name', 'user', 'sizes', 'seat'],
        properties: {
          name: { type: 'string', description: 'What it is called.' },
          user: { anyOf: [{ $ref: '#/components/schemas/User' }, { type: 'null' }] },
          sizes: { type: 'array', items: { type: 'integer', minimum: 1 } },
          seat: { type: 'string', enum: ['free', 'taken'] },
          until: { type: 'string', format: 'date-time' },
        },
      },
      User: { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } },
      Problem: { type: 'object', required: ['error'], properties: { error: { type: 'string' } } },
    },
  },
});

const post = (doc: Json): Json => doc.paths['/desks/{id}'].post;
const schemas = (doc: Json): Json => doc.components.schemas;
const parameter = (doc: Json, name: string): Json => post(doc).parameters.find((one: Json) => one.name === name);
const AT = 'POST /desks/{id}';

function changed(change: (doc: Json) => unknown): string[] {
  const after = document();
  change(after);
  return breakingChanges(document() as OpenApiDocument, after as OpenApiDocument);
}

test.each<[string, (doc: Json) => unknown, string]>([
  ['a route', (doc) => delete doc.paths['/desks/{id}'].delete, 'DELETE /desks/{id} is gone'],
  ['a path', (doc) => (doc.paths = { '/desks/{id}': { post: post(doc) } }), 'DELETE /desks/{id} is gone'],
  [
    'a method name',
    (doc) => (post(doc).operationId = 'editDesk'),
    `${AT}: changeDesk is editDesk now, and so is the method of clients`,
  ],
  [
    'a type name',
    (doc) => {
      schemas(doc).Unused = schemas(doc).User;
      delete schemas(doc).User;
      schemas(doc).Desk.properties.user.anyOf[0].$ref = '#/components/schemas/Unused';
    },
    'the name User is gone, and with it the type of clients',
  ],
  ['a status', (doc) => delete post(doc).responses[404], `${AT}: 404 is gone`],
  [
    'a media type',
    (doc) => {
      const { content } = post(doc).responses[404];
      post(doc).responses[404].content = { 'application/json': content['application/problem+json'] };
    },
    `${AT} 404: application/problem+json is gone`,
  ],
  [
    'a header of an answer',
    (doc) => delete post(doc).responses[200].headers['x-request-id'],
    `${AT} 200: the header x-request-id is gone`,
  ],
  [
    'the type of a header',
    (doc) => (doc.components.headers.RequestId.schema.type = 'integer'),
    `${AT} 200, x-request-id: may be integer now`,
  ],
  [
    'a field of an answer',
    (doc) => {
      delete schemas(doc).Desk.properties.name;
      schemas(doc).Desk.required.shift();
    },
    `${AT} 200.name is gone`,
  ],
  ['an optional field of an answer', (doc) => delete schemas(doc).Desk.properties.until, `${AT} 200.until is gone`],
  ['a field that was always there', (doc) => schemas(doc).Desk.required.shift(), `${AT} 200.name may be missing`],
  [
    'the type of a field of an answer',
    (doc) => (schemas(doc).Desk.properties.name.type = 'integer'),
    `${AT} 200.name: may be integer now`,
  ],
  [
    'a field that never was null',
    (doc) => (schemas(doc).Desk.properties.name.type = ['string', 'null']),
    `${AT} 200.name: may be null now`,
  ],
  [
    'a field within a field that may be null',
    (doc) => (schemas(doc).User.properties.id.type = 'number'),
    `${AT} 200.user.id: may be number now`,
  ],
  [
    'the least of the items of a field',
    (doc) => (schemas(doc).Desk.properties.sizes.items.minimum = 0),
    `${AT} 200.sizes[]: minimum is another`,
  ],
  [
    'the format of a field',
    (doc) => (schemas(doc).Desk.properties.until.format = 'date'),
    `${AT} 200.until: format is another`,
  ],
  ['a word of an answer', (doc) => schemas(doc).Desk.properties.seat.enum.pop(), `${AT} 200.seat: "taken" is gone`],
  [
    'the words of an answer',
    (doc) => delete schemas(doc).Desk.properties.seat.enum,
    `${AT} 200.seat: may be any word now`,
  ],
  ['a parameter', (doc) => post(doc).parameters.pop(), `${AT}: header key is not taken any more`],
  [
    'a parameter that may be left out',
    (doc) => (parameter(doc, 'by').required = true),
    `${AT}: query by must be given`,
  ],
  [
    'nothing, but a parameter more must be given',
    (doc) => post(doc).parameters.push({ name: 'why', in: 'query', required: true, schema: { type: 'string' } }),
    `${AT}: query why must be given`,
  ],
  ['a word of a parameter', (doc) => schemas(doc).Sort.enum.pop(), `${AT}, query by: "age" is gone`],
  [
    'the most of a parameter',
    (doc) => (parameter(doc, 'limit').schema.maximum = 50),
    `${AT}, query limit: maximum is another`,
  ],
  ['a pattern', (doc) => (parameter(doc, 'key').schema.pattern = '^[a-y]+$'), `${AT}, header key: pattern is another`],
  ['a body that may be left out', (doc) => (post(doc).requestBody.required = true), `${AT}: a body must be given`],
  ['the body', (doc) => delete post(doc).requestBody, `${AT}, the body: application/json is gone`],
  [
    'a field of a body',
    (doc) => delete schemas(doc).DeskBody.properties.note,
    `${AT}, the body.note is not taken any more`,
  ],
  [
    'a field of a body that may be left out',
    (doc) => schemas(doc).DeskBody.required.push('note'),
    `${AT}, the body.note must be given`,
  ],
  [
    'nothing, but a field of the body more must be given',
    (doc) => {
      schemas(doc).DeskBody.properties.why = { type: 'string' };
      schemas(doc).DeskBody.required.push('why');
    },
    `${AT}, the body.why must be given`,
  ],
  [
    'a field that may be null',
    (doc) => (schemas(doc).DeskBody.properties.note.type = 'string'),
    `${AT}, the body.note: null is not taken any more`,
  ],
  [
    'the type of a field of a body',
    (doc) => (schemas(doc).DeskBody.properties.weight.type = 'integer'),
    `${AT}, the body.weight: number is not taken any more`,
  ],
  [
    'the length of a field of a body',
    (doc) => (schemas(doc).DeskBody.properties.name.maxLength = 9),
    `${AT}, the body.name: maxLength is another`,
  ],
  [
    'the freedom of a field of a body',
    (doc) => (schemas(doc).DeskBody.properties.note.enum = ['a', null]),
    `${AT}, the body.note: only some words are taken`,
  ],
  [
    'the fields of any name',
    (doc) => (schemas(doc).DeskBody.properties.tags.additionalProperties = false),
    `${AT}, the body.tags: other fields are not taken any more`,
  ],
  [
    'the type of the fields of any name',
    (doc) => (schemas(doc).DeskBody.properties.tags.additionalProperties.type = 'integer'),
    `${AT}, the body.tags.*: string is not taken any more`,
  ],
  [
    'what this check knows nothing of',
    (doc) => (schemas(doc).DeskBody.properties.name.not = { const: 'x' }),
    `${AT}, the body.name: not is another`,
  ],
  ['access without a key', (doc) => (post(doc).security = [{ key: [] }]), `${AT}: nothing does not let in any more`],
  [
    'access without a key, to everything',
    (doc) => {
      doc.security = [{ key: [] }];
      delete doc.paths['/desks/{id}'].delete;
      doc.paths['/desks/{id}'].delete = { operationId: 'removeDesk', responses: { 204: {} }, security: [] };
    },
    `${AT}: nothing does not let in any more`,
  ],
])('a break is seen where this is taken away: %s', (_, change, message) => {
  const found = changed(change);
  expect(found).toContain(message);
  // And nothing is seen that did not happen.
  expect(found.filter((one) => one !== message)).toEqual([]);
});

test.each<[string, (doc: Json) => unknown]>([
  ['a route more', (doc) => (doc.paths['/new'] = { get: { operationId: 'getNew', responses: {} } })],
  ['a status more', (doc) => (post(doc).responses[409] = post(doc).responses[404])],
  ['a header of an answer more', (doc) => (post(doc).responses[200].headers.etag = { schema: { type: 'string' } })],
  [
    'a field of an answer more',
    (doc) => {
      schemas(doc).Desk.properties.color = { type: 'string' };
      schemas(doc).Desk.required.push('color');
    },
  ],
  ['a word of an answer more', (doc) => schemas(doc).Desk.properties.seat.enum.push('broken')],
  ['a field of an answer that is never null any more', (doc) => schemas(doc).Desk.properties.user.anyOf.pop()],
  ['a field of an answer that is always there', (doc) => schemas(doc).Desk.required.push('until')],
  ['a parameter more', (doc) => post(doc).parameters.push({ name: 'q', in: 'query', schema: { type: 'string' } })],
  ['a word of a parameter more', (doc) => schemas(doc).Sort.enum.push('size')],
  ['a wider parameter', (doc) => (parameter(doc, 'limit').schema.maximum = 1000)],
  ['a parameter of any form', (doc) => delete parameter(doc, 'key').schema.pattern],
  ['a field of a body more', (doc) => (schemas(doc).DeskBody.properties.color = { type: 'string' })],
  ['a field of a body less to give', (doc) => schemas(doc).DeskBody.required.pop()],
  ['a field of a body that may be null', (doc) => (schemas(doc).DeskBody.properties.weight.type = ['number', 'null'])],
  ['a number where a whole one was asked for', (doc) => (parameter(doc, 'limit').schema.type = 'number')],
  ['another description', (doc) => (schemas(doc).Desk.properties.name.description = 'Its name.')],
  ['an example', (doc) => (schemas(doc).Desk.properties.name.example = 'window')],
  ['a key that may be given', (doc) => (post(doc).security = [{}, { key: [] }])],
  [
    'a schema that stands elsewhere',
    (doc) => {
      post(doc).responses[404].content['application/problem+json'].schema = schemas(doc).Problem;
    },
  ],
])('no break: %s', (_, change) => {
  expect(changed(change)).toEqual([]);
});

test('a break of our own document is seen', () => {
  const after = structuredClone(released) as Json;
  delete after.paths['/api/pools'].get;
  delete after.components.schemas.Grant.properties.lease_id;
  after.components.schemas.PoolKind.enum = ['fixed'];
  after.components.schemas.AllocateBody.required = ['user_id'];
  const found = breakingChanges(released, after as OpenApiDocument);
  expect(found).toEqual(
    expect.arrayContaining([
      'GET /api/pools is gone',
      'POST /api/tokens/allocate 200.lease_id is gone',
      'POST /api/pools, the body.kind: "elastic" is gone',
      'POST /api/tokens/allocate, the body.user_id must be given',
    ]),
  );
});
