// The collection for Postman and Bruno: every operation of openapi.json, put over by Postman's own library, and before
// them the session of docs/tutorial.md. `npm run collection` writes it, `npm run clients:check` compares and plays it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import newman from 'newman';
import { convertV2 } from 'openapi-to-postmanv2';
import { tutorialSession } from './session.mjs';

const DOCUMENT = join(import.meta.dirname, '../../../openapi.json');
const COLLECTION = join(import.meta.dirname, '../../../docs/token-pool.postman_collection.json');
const SESSION = 'The tutorial';

const VARIABLES = {
  baseUrl: 'http://127.0.0.1:4000',
  USER_ID: '7d2f7a54-5b1c-4d0e-9c3a-1f2e3d4c5b6a',
  // The session keeps these; requests below it go on with them.
  ...Object.fromEntries(['LEASE', 'TOKEN', 'LEASE_ID', 'SEAT'].map((name) => [name, ''])),
};

/** Where the document has no example the library makes something up, each time anew. Here is what makes sense instead. */
const VALUES = {
  id: '{{TOKEN}}',
  token: '{{TOKEN}}',
  token_id: '{{TOKEN}}',
  lease_id: '{{LEASE_ID}}',
  user_id: '{{USER_ID}}',
  after: '0',
  cursor: '',
  status: 'all',
  attributes: { country: 'de' },
  select: { country: 'de' },
  tokens: [{ name: '+49 30 901820', attributes: { country: 'de' } }],
  missing: 'keep',
  when: 'now',
  kind: 'fixed',
  on_exhausted: 'evict_oldest',
  release_authority: 'anyone',
  evict: 'oldest',
  cooldown_after: 'always',
  after_use: 'available',
  condition: 'ok',
  'Idempotency-Key': '{{$guid}}',
  'Last-Event-ID': '0',
  lastEventId: '0',
};

async function makeCollection() {
  const input = { type: 'string', data: readFileSync(DOCUMENT, 'utf8') };
  const options = { folderStrategy: 'Tags', parametersResolution: 'Example', enableOptionalParameters: false };
  const { result, reason, output } = await promisify(convertV2)(input, options);
  assert.ok(result, reason);
  const [{ data }] = output;
  const folders = data.item.map((folder) => ({ ...folder, item: folder.item.map(steady) }));
  const session = {
    name: SESSION,
    description: 'The session of docs/tutorial.md. Play it from top to bottom on a fresh service.',
    item: tutorialSession(),
  };
  return {
    info: { name: data.info.name, description: data.info.description, schema: data.info.schema },
    item: [session, ...folders],
    variable: Object.entries(VARIABLES).map(([key, value]) => ({ key, value })),
  };
}

/** Without ids and made-up answers, so that it is the same each time. */
function steady({ name, request }) {
  const { url, header, body, ...rest } = request;
  const known = (entries = []) => entries.map((entry) => ({ ...entry, value: VALUES[entry.key] ?? entry.value }));
  return {
    name,
    request: {
      ...rest,
      url: { ...url, query: known(url.query), variable: known(url.variable).map(ofPath) },
      header: known(header),
      ...(body && { body: { ...body, raw: body.raw && steadyBody(JSON.parse(body.raw)) } }),
    },
    response: [],
  };
}

/** `name` in a path is that of a pool; in a body, that of a new one. */
const ofPath = (entry) => (entry.key === 'name' ? { ...entry, value: 'default' } : entry);

function steadyBody(body) {
  // `lease_id` says whose lease is meant.
  const shown = Object.entries(body).filter(([key]) => !('lease_id' in body && ['user_id', 'fence'].includes(key)));
  const entries = shown.map(([key, value]) => [key, VALUES[key] ?? value]);
  return JSON.stringify(Object.fromEntries(entries), null, 2);
}

const textOf = (collection) => `${JSON.stringify(collection, null, 2)}\n`;

/** @throws AssertionError when the committed one is not that of the document and the tutorial */
export async function collectionMustBeCurrent() {
  const isCurrent = readFileSync(COLLECTION, 'utf8') === textOf(await makeCollection());
  assert.ok(isCurrent, `${COLLECTION} is not up to date: \`npm run collection\` writes it`);
}

/** Plays the session on a fresh service. @throws AssertionError with every request that was not answered as printed */
export async function runSession(url) {
  const { run } = await promisify(newman.run)({
    collection: JSON.parse(readFileSync(COLLECTION, 'utf8')),
    folder: SESSION,
    envVar: [{ key: 'baseUrl', value: url }],
  });
  assert.deepEqual(
    run.failures.map(({ source, error }) => `${source.name}: ${error.message}`),
    [],
  );
  assert.ok(run.stats.assertions.total >= 10, 'the session has hardly any requests');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = textOf(await makeCollection());
  assert.equal(textOf(await makeCollection()), text, 'something is made up: give it an example, or a place in VALUES');
  writeFileSync(COLLECTION, text);
}
