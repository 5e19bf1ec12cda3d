// The commands about the things of a listed pool: `things import`, `things list`, `things set` and `things remove`.

import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import {
  parseThings,
  type AttributeValue,
  type FileProblem,
  type GivenThing,
  type PoolHandle,
  type Token,
} from '../../../../libs/client/src/index.js';
import { objectOf, type Arguments } from '../arguments.js';
import { attributesText } from '../attribute-values.js';
import type { Command } from '../command.js';
import { CommandError } from '../command-error.js';
import { EXIT } from '../exit-code.js';
import { listed, pageFor } from '../listed.js';
import { time, type Column } from '../output.js';
import { UsageError } from '../usage-error.js';
import { STATUS_OPTION, statusOf } from './tokens.js';

const THING_COLUMNS: readonly Column<Token>[] = [
  { title: 'name', width: 16, of: ({ name }) => name },
  { title: 'status', width: 9, of: ({ status, draining }) => (draining ? `${status}, draining` : status) },
  { title: 'user', width: 12, of: ({ holder, active_user_id }) => holder ?? active_user_id },
  { title: 'until', width: 24, of: ({ expires_at }) => time(expires_at) },
  { title: 'attributes', of: ({ attributes }) => attributes && attributesText(attributes) },
];

export const importThings: Command = {
  name: 'things import',
  operands: 'FILE',
  summary: 'puts things from a file into a listed pool, and changes those that it has',
  options: {
    missing: {
      value: 'WHAT',
      help: 'what becomes of things that the file leaves out: keep (default), or delete_when_free',
    },
    typed: { help: 'in CSV, 14 and true are a number and a boolean; default: text' },
    'dry-run': { help: 'reads and checks the file, and sends nothing' },
  },
  notes: `FILE is CSV or JSON, and - is the standard input. The first line of CSV names the columns: name, then attributes; a
column secret.KEY is a value of the secret, and an empty cell is no value. JSON is a list of objects with name,
attributes and secret. Attributes and secrets that the file leaves out stay as they are.

If anything is wrong with the file, the program prints each problem with its line, and sends nothing. It sends at most
1,000 things at a time, each time all or nothing. delete_when_free takes one such request.`,
  examples: [
    'things import phones.csv --pool phones',
    'things import phones.csv --pool phones --missing delete_when_free',
    'things import - --pool accounts --dry-run < accounts.json',
  ],
  async run({ pool, given, output }) {
    const file = given.operand('FILE');
    const missing = missingOf(given.text('missing'));
    const values = given.flag('typed') ? 'typed' : 'text';
    const { things, problems } = parseThings(await contentOf(file, file), { values });
    if (problems.length > 0) throw problemsOf(file, problems);
    if (given.flag('dry-run')) {
      const count = `${things.length} ${things.length === 1 ? 'thing' : 'things'}`;
      return output.message({ things: things.length }, `${count} without a problem; nothing was sent`);
    }
    const counts = await pool.importThings(things, { missing }).catch((error: unknown) => {
      throw error instanceof RangeError ? new UsageError(error.message) : error;
    });
    const text = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
    await output.message(counts, `${pool.name}: ${text.join(', ')}`);
  },
};

export const listThings: Command = {
  name: 'things list',
  summary: 'the things of a listed pool',
  options: {
    status: STATUS_OPTION,
    attribute: { value: 'KEY=VALUE', help: 'only things with this attribute', isRepeatable: true },
    limit: { value: 'N', help: 'at most so many; default: all' },
  },
  examples: ['things list --pool phones', 'things list --pool phones --attribute country=de --status available'],
  async run({ pool, given, output }) {
    given.noOperand();
    const limit = given.whole('limit', 1);
    const request = {
      status: statusOf(given.text('status')),
      attributes: Object.fromEntries(given.pairs('attribute')),
      limit: pageFor(limit),
    };
    await listed(pool.list(request), ({ tokens }) => tokens, output.table(THING_COLUMNS), limit);
  },
};

export const setThing: Command = {
  name: 'things set',
  operands: 'NAME',
  summary: 'adds a thing to a listed pool, or changes it',
  options: {
    attributes: { value: 'JSON', help: 'all of its attributes; default: as they are' },
    secret: { value: 'FILE', help: 'a file with its secret as a JSON object; - is the standard input' },
    'no-secret': { help: 'removes its secret' },
  },
  notes: 'There is no option for a secret itself, since others can see command lines.',
  examples: [
    `things set "+49 30 901820" --pool phones --attributes '{"country":"de","sms":true}'`,
    'things set tester-1 --pool accounts --secret - < secret.json',
  ],
  async run({ pool, given, output }) {
    const name = given.operand('NAME');
    const attributes = given.object('attributes') as Record<string, AttributeValue> | undefined;
    const thing: GivenThing = { name, attributes, secret: await secretOf(given) };
    const counts = await pool.importThings([thing]);
    const [what] = Object.entries(counts).find(([, count]) => count > 0) ?? ['unchanged'];
    await output.message(counts, `${name} is ${what}`);
  },
};

export const removeThing: Command = {
  name: 'things remove',
  operands: 'NAME',
  summary: 'takes a thing out of a listed pool',
  options: {
    'when-free': { help: 'if it is held, at the end of its lease' },
    force: { help: 'if it is held, ends its lease first' },
  },
  examples: ['things remove "+49 30 901820" --pool phones --when-free'],
  async run({ pool, given, output }) {
    const name = given.operand('NAME');
    const [whenFree, force] = [given.flag('when-free'), given.flag('force')];
    if (whenFree && force) throw new UsageError('--when-free and --force contradict each other');
    const { id } = await thingOf(pool, name);
    const answer = await pool.delete(id, { ...(whenFree && { when: 'when_free' }), ...(force && { force }) });
    await output.message(answer, answer.deleted ? `${name} is removed` : `${name} goes at the end of its lease`);
  },
};

async function thingOf(pool: PoolHandle, name: string): Promise<Token> {
  for await (const token of pool.list({ name })) return token;
  throw new CommandError(EXIT.refused, 'token_not_found', `the pool ${pool.name} has no ${JSON.stringify(name)}`);
}

function problemsOf(file: string, problems: readonly FileProblem[]): CommandError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const lines = problems.map(({ line, message }) => `${file}:${line}: ${message}`);
  const message = [`${count} in ${file}; nothing was sent`, ...lines].join('\n');
  return new CommandError(EXIT.usage, 'wrong_file', message, { problems });
}

function missingOf(text: string | undefined): 'keep' | 'delete_when_free' | undefined {
  if (text === undefined || text === 'keep' || text === 'delete_when_free') return text;
  throw new UsageError(`--missing is ${JSON.stringify(text)}; allowed are keep, delete_when_free`);
}

async function secretOf(given: Arguments): Promise<Record<string, unknown> | null | undefined> {
  const file = given.text('secret');
  if (given.flag('no-secret')) {
    if (file !== undefined) throw new UsageError('--secret and --no-secret contradict each other');
    return null;
  }
  return file === undefined ? undefined : objectOf(await contentOf(file, 'the file of --secret'), '--secret', true);
}

/**
 * The text of a file, or of the standard input.
 * @param what the file in the words of an error
 */
async function contentOf(file: string, what: string): Promise<string> {
  const bytes = await (file === '-' ? buffer(process.stdin) : readFile(file)).catch(
    ({ code }: NodeJS.ErrnoException) => {
      throw new UsageError(`${what} cannot be read: ${code}`);
    },
  );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${what} is no text in UTF-8: save it in that encoding`);
  }
}
