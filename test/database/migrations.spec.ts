// Expand, migrate, contract (CONTRIBUTING, "The database"): what is released stays as it is, and what comes after it lets
// the last release go on working and holds up nobody. Read from the SQL; test/processes/upgrade.spec.ts tries it.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ReleasedService, releases } from '../../tools/release/released-service.js';

/** Where they are now, and where release 0.1.0 has them. */
const FOLDERS = ['libs/postgres/src/schema/migrations', 'libs/tokens-postgres/src/migrations'];

interface Migration {
  readonly name: string;
  /** Every SQL text of its `up`. */
  readonly up: readonly string[];
}

function readMigrations(root: string): Migration[] {
  const folder = FOLDERS.map((path) => join(root, path)).find((path) => existsSync(path)) as string;
  const files = readdirSync(folder).filter((file) => /^\d.*\.(js|ts)$/.test(file));
  return files.sort().map((file) => {
    const [up = ''] = readFileSync(join(folder, file), 'utf8').split('async down(');
    const name = basename(basename(file, '.ts'), '.js');
    return { name, up: [...up.matchAll(/`([^`]*)`/g)].map(([, sql]) => sql as string) };
  });
}

const inDirectory = process.cwd();
let released: readonly Migration[];

beforeAll(async () => {
  const service = await ReleasedService.unpack(releases().at(-1) as string);
  released = readMigrations(service.directory);
  service.remove();
});

/** Tables that the last release works with. */
const tables = (): string[] =>
  released.flatMap(({ up }) =>
    up.flatMap((sql) => [...sql.matchAll(/CREATE TABLE "(\w+)"/g)].map(([, name]) => name!)),
  );

const RULES: readonly { readonly sin: RegExp; readonly why: string }[] = [
  { sin: /\bDROP (TABLE|COLUMN|VIEW|TYPE|FUNCTION)\b/i, why: 'drops what the last release may use' },
  { sin: /\bRENAME\b/i, why: 'renames what the last release may use' },
  { sin: /\bALTER (COLUMN )?"?\w+"? (SET DATA )?TYPE\b/i, why: 'changes a type' },
  { sin: /\bSET NOT NULL\b/i, why: 'demands what the last release may not write' },
  {
    sin: /\bADD (COLUMN )?(?!CONSTRAINT)(?:(?!DEFAULT)[^,])*(?<!IS )\bNOT NULL\b(?![^,]*DEFAULT)/i,
    why: 'demands a value without DEFAULT',
  },
  { sin: /\bADD CONSTRAINT\b(?!.*NOT VALID)/is, why: 'reads the whole table under its lock: add it NOT VALID' },
  { sin: /\bCREATE (UNIQUE )?INDEX\b(?! CONCURRENTLY)/i, why: 'keeps writers out while it is built: CONCURRENTLY' },
];

/** What is wrong with a statement; a line `-- expands: why` in it says that it was thought about. */
function sinsOf(sql: string): string[] {
  const concerns = tables().some((table) =>
    new RegExp(`\\b(TABLE|ON|EXISTS|ONLY) "?${table}"?(?![\\w])`, 'i').test(sql),
  );
  if (!concerns || /^\s*-- expands: \S/m.test(sql)) return [];
  return RULES.filter(({ sin }) => sin.test(sql)).map(({ why }) => why);
}

test('released migrations are what they were', () => {
  const now = readMigrations(inDirectory).slice(0, released.length);
  expect(released.length).toBeGreaterThan(1);
  expect(now).toEqual(released);
});

test('migrations after the last release only expand, and keep nobody waiting', () => {
  const sins = readMigrations(inDirectory)
    .slice(released.length)
    .flatMap(({ name, up }) => up.flatMap((sql) => sinsOf(sql).map((why) => `${name}: ${why}: ${sql.trim()}`)));
  expect(sins).toEqual([]);
});

test.each([
  ['DROP TABLE "kept_answers"', /drops/],
  ['ALTER TABLE "tokens" DROP COLUMN "user_id"', /drops/],
  ['ALTER TABLE tokens RENAME COLUMN user_id TO holder', /renames/],
  ['ALTER TABLE "tokens" ALTER COLUMN "fence" TYPE numeric', /type/],
  ['ALTER TABLE "tokens" ALTER "user_id" SET NOT NULL', /demands/],
  ['ALTER TABLE "tokens" ADD COLUMN "a" text, ADD COLUMN "b" text NOT NULL', /DEFAULT/],
  ['ALTER TABLE "pools" ADD CONSTRAINT "p" CHECK (size > 0)', /NOT VALID/],
  ['CREATE UNIQUE INDEX "i" ON "token_events" ("pool", "id")', /CONCURRENTLY/],
])('%s would not pass', (sql, why) => {
  expect(sinsOf(sql)).toEqual([expect.stringMatching(why)]);
});

test.each([
  ['ALTER TABLE "tokens" ADD COLUMN "key_id" text'],
  [`ALTER TABLE "pools" ADD COLUMN "evict" text NOT NULL DEFAULT 'oldest', ADD COLUMN "max" integer`],
  ['ALTER TABLE "pools" ADD CONSTRAINT "p" CHECK (size > 0) NOT VALID'],
  ['ALTER TABLE "pools" DROP CONSTRAINT "pools_size"'],
  ['CREATE INDEX CONCURRENTLY "i" ON "token_events" ("pool", "id")'],
  ['ALTER TABLE "tokens" ADD COLUMN "a" text CHECK (a IS NOT NULL OR fence IS NULL)'],
  ['CREATE TABLE "api_keys" ("id" text NOT NULL)'],
  ['CREATE INDEX "i" ON "api_keys" ("id")'],
  ['-- expands: a few hundred rows\nCREATE INDEX "i" ON "pools" ("kind")'],
])('%s passes', (sql) => {
  expect(sinsOf(sql)).toEqual([]);
});
