// The sessions of the README, of the tutorial and of the pages about things and about waiting, each run as printed on a fresh service.
// `UPDATE_README=1` rewrites the answers.

import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startApp } from '../support/app.js';

const ROOT = join(__dirname, '../..');
const BLOCK = /```console\n([\s\S]*?)```/g;

/** The command line in a place of its own, because other tests compile it, too. */
const CLI = join(ROOT, 'dist/session');

beforeAll(async () => {
  const build = ['tools/build.mjs', 'cli', '--to', join(CLI, 'dist')];
  await promisify(execFile)(process.execPath, build, { cwd: ROOT });
  await cp(join(ROOT, 'apps/cli/package.json'), join(CLI, 'package.json'));
});

const hasCurl = spawnSync('curl', ['--version']).status === 0;

(hasCurl ? test : test.skip).each([
  ['README.md', 5],
  ['docs/tutorial.md', 15],
  ['docs/things.md', 25],
  ['docs/waiting.md', 14],
  ['docs/between-users.md', 10],
])('the session of %s answers as printed', async (file, fewestCommands) => {
  const path = join(ROOT, file);
  const page = await readFile(path, 'utf8');
  const blocks = [...page.matchAll(BLOCK)].map(([, block]) => block!);
  const commands = blocks.flatMap((block) => block.split('\n').filter((line) => line.startsWith('$ ')));
  expect(commands.length).toBeGreaterThan(fewestCommands);
  const answers = await runOnFreshService(commands.map((command) => command.slice(2)));
  const printed = page.replace(BLOCK, (_, block: string) => {
    const lines = block.split('\n').filter((line) => line.startsWith('$ '));
    return `\`\`\`console\n${lines.map((line) => `${line}\n${answers.shift()}`).join('')}\`\`\``;
  });
  if (process.env['UPDATE_README']) await writeFile(path, printed);
  else expect(alike(page)).toBe(alike(printed));
});

async function runOnFreshService(commands: string[]): Promise<string[]> {
  const app = await startApp({ SECRETS_KEY: randomBytes(32).toString('base64') });
  const folder = await mkdtemp(join(tmpdir(), 'token-pool-session-'));
  try {
    return await run(commands, app.url, folder);
  } finally {
    await rm(folder, { recursive: true });
    await app.close();
  }
}

/** All commands in one shell, so that its variables live on; the answer of each, ended by a newline when there is any. */
async function run(commands: string[], url: string, folder: string): Promise<string[]> {
  const mark = '=====';
  const script = commands.map((command) => `${command.replaceAll('localhost:4000', url)}\necho\necho ${mark}`);
  script.unshift(
    `tokenpool() { ${JSON.stringify(process.execPath)} ${JSON.stringify(join(CLI, 'dist/main.js'))} "$@"; }`,
  );
  const env = { ...process.env, TOKEN_POOL_URL: url };
  const { stdout } = await promisify(execFile)('bash', ['-c', script.join('\n')], { env, cwd: folder });
  const answers = stdout.split(`${mark}\n`).slice(0, -1);
  expect(answers).toHaveLength(commands.length);
  return answers.map((answer) => answer.trim()).map((answer) => (answer === '' ? '' : `${answer}\n`));
}

/** Ids, hashes, times and what is left of a lease differ from run to run; everything else must not. */
const alike = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>')
    .replace(/\b[0-9a-f]{64}\b/g, '<hash>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/"expires_in_ms":\d+/g, '<left>');
