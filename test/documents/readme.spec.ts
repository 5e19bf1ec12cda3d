// The sessions of the README and of the tutorial, each run as printed on a fresh service. `UPDATE_README=1` rewrites the
// answers of both.

import { execFile, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startApp } from '../support/app.js';

const BLOCK = /```console\n([\s\S]*?)```/g;

const hasCurl = spawnSync('curl', ['--version']).status === 0;

(hasCurl ? test : test.skip).each([
  ['README.md', 5],
  ['docs/tutorial.md', 15],
])('the session of %s answers as printed', async (file, fewestCommands) => {
  const path = join(__dirname, '../..', file);
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
  const app = await startApp();
  try {
    return await run(commands, app.url);
  } finally {
    await app.close();
  }
}

/** All commands in one shell, so that its variables live on; the answer of each, ended by a newline when there is any. */
async function run(commands: string[], url: string): Promise<string[]> {
  const mark = '=====';
  const script = commands.map((command) => `${command.replaceAll('localhost:4000', url)}\necho\necho ${mark}`);
  const { stdout } = await promisify(execFile)('bash', ['-c', script.join('\n')]);
  const answers = stdout.split(`${mark}\n`).slice(0, -1);
  expect(answers).toHaveLength(commands.length);
  return answers.map((answer) => answer.trim()).map((answer) => (answer === '' ? '' : `${answer}\n`));
}

/** Ids, hashes and times differ from run to run; everything else must not. */
const alike = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>')
    .replace(/\b[0-9a-f]{64}\b/g, '<hash>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>');
