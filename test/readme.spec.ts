// The README's first session, run as printed on a fresh service. `UPDATE_README=1` writes the answers anew.

import { execFile, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startApp, type TestApp } from './support/app.js';

const README = join(__dirname, '../README.md');
const BLOCK = /```console\n([\s\S]*?)```/g;

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const hasCurl = spawnSync('curl', ['--version']).status === 0;

(hasCurl ? test : test.skip)('the first session of the README answers as printed', async () => {
  const readme = await readFile(README, 'utf8');
  const blocks = [...readme.matchAll(BLOCK)].map(([, block]) => block!);
  const commands = blocks.flatMap((block) => block.split('\n').filter((line) => line.startsWith('$ ')));
  expect(commands.length).toBeGreaterThan(10);
  const answers = await run(commands.map((command) => command.slice(2)));
  const printed = readme.replace(BLOCK, (_, block: string) => {
    const lines = block.split('\n').filter((line) => line.startsWith('$ '));
    return `\`\`\`console\n${lines.map((line) => `${line}\n${answers.shift()}`).join('')}\`\`\``;
  });
  if (process.env['UPDATE_README']) await writeFile(README, printed);
  else expect(alike(readme)).toBe(alike(printed));
});

/** All commands in one shell, so that its variables live on; the answer of each, ended by a newline when there is any. */
async function run(commands: string[]): Promise<string[]> {
  const mark = '=====';
  const script = commands.map((command) => `${command.replaceAll('localhost:4000', app.url)}\necho\necho ${mark}`);
  const { stdout } = await promisify(execFile)('bash', ['-c', script.join('\n')]);
  const answers = stdout.split(`${mark}\n`).slice(0, -1);
  expect(answers).toHaveLength(commands.length);
  return answers.map((answer) => answer.trim()).map((answer) => (answer === '' ? '' : `${answer}\n`));
}

/** Ids and times differ from run to run; everything else must not. */
const alike = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>');
