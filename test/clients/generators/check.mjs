// Whether others can work with our document: linters find nothing in it, generators make clients of it that compile
// strictly and do what they should with the running service, and the collection for Postman and Bruno is up to date.
// `npm run clients:check` builds the service and installs what is needed here first.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { inOpenApi30 } from '../../../dist/api/openapi/openapi-3.0.js';
import { collectionMustBeCurrent, runSession } from './collection.mjs';
import { withService } from './service.mjs';

const DOCUMENT = '../../../openapi.json';
const DOCUMENTS = [DOCUMENT, 'generated/openapi-3.0.json'];

/** As docs/http.md tells them; `generated` is not committed. */
const GENERATORS = {
  'openapi-typescript': ['openapi-typescript', DOCUMENT, '-o', 'generated/openapi-typescript.ts'],
  '@hey-api/openapi-ts': ['openapi-ts', '-i', DOCUMENT, '-o', 'generated/hey-api'],
  orval: ['orval', '-i', DOCUMENT, '-o', 'generated/orval.ts', '--client', 'fetch'],
  'swagger-typescript-api': [
    ...['swagger-typescript-api', 'generate', '-p', DOCUMENT],
    ...['-o', 'generated', '-n', 'swagger-typescript-api.ts'],
  ],
  oazapfts: ['oazapfts', DOCUMENT, 'generated/oazapfts.ts'],
};

const SCENARIOS = ['openapi-fetch', 'hey-api', 'orval', 'swagger-typescript-api', 'oazapfts'];
/** These wait for the end of every answer. */
const WITHOUT_STREAM = new Set(['oazapfts']);

/** Nobody is asked for a newer version, and nobody is told. */
const QUIET = { NO_UPDATE_NOTIFIER: '1', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', REDOCLY_TELEMETRY: 'off' };

process.chdir(import.meta.dirname);
process.env.PATH = `${import.meta.dirname}/node_modules/.bin:${process.env.PATH}`;

function run([command, ...args]) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...QUIET },
  });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${error ?? ''}${stdout}${stderr}`);
}

async function step(name, work) {
  const begun = performance.now();
  await work();
  console.log(`ok ${String(Math.round(performance.now() - begun)).padStart(6)} ms  ${name}`);
}

rmSync('generated', { recursive: true, force: true });
mkdirSync('generated');
writeFileSync(DOCUMENTS[1], JSON.stringify(inOpenApi30(JSON.parse(readFileSync(DOCUMENT, 'utf8'))), null, 2));

await step('Redocly', () => run(['redocly', 'lint', '--max-problems=1000', ...DOCUMENTS]));
await step('Spectral', () => run(['spectral', 'lint', '--fail-severity=hint', ...DOCUMENTS]));
await step('the collection is up to date', collectionMustBeCurrent);

for (const [name, command] of Object.entries(GENERATORS)) await step(`${name} makes a client`, () => run(command));
await step('all clients compile strictly', () => run(['tsc', '-p', '.']));

await withService(async (url) => {
  await step('the session of the tutorial, by the collection', () => runSession(url));
  const { EXPECTED } = await import('./generated/js/scenarios/story.js');
  for (const name of SCENARIOS) {
    const { play } = await import(`./generated/js/scenarios/${name}.js`);
    const expected = WITHOUT_STREAM.has(name) ? { ...EXPECTED, streamed: undefined } : EXPECTED;
    await step(`the scenario with ${name}`, async () => assert.deepEqual(await play(url, name), expected));
  }
});
