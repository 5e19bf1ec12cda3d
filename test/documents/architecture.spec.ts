// The house rules are checked by machines (.dependency-cruiser.mjs, eslint.config.mjs, and the checks of text below).
// A guard that cannot fire guards nothing: a sin is planted for each rule, in a house of its own, and exactly that rule must fire.

import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

const ROOT = join(__dirname, '../..');
const SHIPPED = ['apps', 'libs', 'ormconfig.ts'];

type Files = Readonly<Record<string, string>>;

const houses: string[] = [];

function house(files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), 'architecture-'));
  houses.push(folder);
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), source);
  }
  for (const config of ['tsconfig.json', '.dependency-cruiser.mjs', 'eslint.config.mjs']) {
    cpSync(join(ROOT, config), join(folder, config));
  }
  return folder;
}

afterAll(() => houses.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** The JSON that a tool prints; a tool that found something exits with an error, which is no error here. */
function json<T>(cwd: string, tool: string, ...args: string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const options = { cwd, maxBuffer: 64 << 20 };
    execFile(process.execPath, [join(ROOT, 'node_modules', tool), ...args], options, (error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout) as T);
      } catch {
        reject(new Error(`${tool}: ${stderr || stdout}`, { cause: error }));
      }
    });
  });
}

interface Cruise {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
    readonly ruleSetUsed: { readonly forbidden: readonly { readonly name: string }[] };
    readonly totalCruised: number;
  };
}

const cruise = (cwd: string): Promise<Cruise> =>
  json(cwd, 'dependency-cruiser/bin/dependency-cruise.mjs', '--output-type', 'json', ...SHIPPED, 'test', 'tools');

const violations = ({ summary }: Cruise): string[] =>
  [...new Set(summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`))].sort();

const imports = (...names: string[]): string => names.map((name) => `import '${name}';\n`).join('');

const PACKAGES: Files = Object.fromEntries(
  ['@nestjs/common', 'fast-check', 'openapi-fetch', 'pg', 'pino-pretty', 'preact', 'stranger', 'typeorm'].flatMap(
    (name) => [
      [`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' })],
      [`node_modules/${name}/index.js`, ''],
    ],
  ),
);

/** A house in which everything that is allowed happens. */
const GOOD_HOUSE: Files = {
  ...PACKAGES,
  'package.json': JSON.stringify({
    type: 'module',
    dependencies: { '@nestjs/common': '1', pg: '1', typeorm: '1' },
    devDependencies: { 'fast-check': '1', 'openapi-fetch': '1', 'pino-pretty': '1', preact: '1' },
  }),
  'ormconfig.ts': imports('./libs/postgres/src/schema/data-source.js'),
  'apps/api/src/main.ts': imports('@app/local-postgres', '@nestjs/common', 'pino-pretty', './persistence.module.js'),
  'apps/api/src/persistence.module.ts': imports('@app/tokens', '@app/postgres', 'typeorm', './egg.js'),
  'apps/api/src/egg.ts': 'export {};\n',
  'apps/console/src/main.tsx': imports('preact', './app.js'),
  'apps/console/src/app.tsx': 'export {};\n',
  'apps/cli/src/main.ts': imports('node:child_process', '../../../libs/client/src/index.js'),
  'apps/admin/src/main.ts': imports('@app/postgres', './output.js'),
  'apps/admin/src/output.ts': imports('@app/keys'),
  'libs/keys/src/index.ts': imports('@app/tokens', 'node:crypto'),
  'libs/tokens/src/index.ts': imports('./audit/auditor.js', './commands/command.js', './feed/live-feed.js'),
  'libs/tokens/src/kernel/instant.ts': 'export {};\n',
  'libs/tokens/src/pool/token.ts': imports('node:crypto', '../kernel/instant.js'),
  'libs/tokens/src/pool/token-event.ts': imports('./token.js'),
  'libs/tokens/src/pool/token.spec.ts': imports('./token.js', '../testing/double.js', 'fast-check'),
  'libs/tokens/src/reading/views.ts': imports('../kernel/instant.js', '../pool/token.js'),
  'libs/tokens/src/commands/command.ts': imports('../kernel/instant.js', '../pool/token.js', '../reading/views.js'),
  'libs/tokens/src/feed/live-feed.ts': imports('../kernel/instant.js', '../pool/token.js', '../reading/views.js'),
  'libs/tokens/src/audit/auditor.ts': imports('../kernel/instant.js', '../pool/token-event.js', '../reading/views.js'),
  'libs/tokens/src/testing/double.ts': imports('../pool/token.js', '../commands/command.js'),
  'libs/postgres/src/index.ts': imports(
    './commands/repository.js',
    './audit/source.js',
    './keys/store.js',
    '@app/keys',
    '@app/tokens',
  ),
  'libs/postgres/src/connection/database.ts': imports('pg'),
  'libs/postgres/src/schema/data-source.ts': imports('typeorm', 'pg', '../connection/database.js'),
  'libs/postgres/src/commands/repository.ts': imports('../connection/database.js', '../schema/data-source.js'),
  'libs/postgres/src/reading/cursor.ts': imports('../connection/database.js', '../schema/data-source.js'),
  'libs/postgres/src/audit/source.ts': imports('../connection/database.js', '../schema/data-source.js'),
  'libs/postgres/src/keys/store.ts': imports('../connection/database.js', '../reading/cursor.js'),
  'libs/local-postgres/src/index.ts': imports('node:net'),
  'libs/client/package.json': JSON.stringify({ type: 'module', dependencies: { 'openapi-fetch': '1' } }),
  'libs/client/dist/index.js': imports('stranger'),
  'libs/client/src/index.ts': imports('./calls.js', 'openapi-fetch'),
  'libs/client/src/calls.ts': 'export {};\n',
  'libs/client/src/calls.spec.ts': imports('./calls.js', 'node:http', 'fast-check'),
  'tools/bench/main.ts': imports('@app/postgres', './cluster.js', '../release/released.js'),
  'tools/bench/cluster.ts': imports('@app/local-postgres', 'pg', 'fast-check', '../../apps/api/src/egg.js'),
  'tools/release/released.ts': imports('../harness/api-process.js', './archive.js'),
  'tools/release/archive.ts': 'export {};\n',
  'tools/harness/api-process.ts': imports('node:child_process'),
  'tools/chaos/main.ts': imports('../harness/api-process.js'),
  'test/support/harness.ts': imports('../../libs/postgres/src/schema/data-source.js', 'fast-check'),
  'test/races.spec.ts': imports(
    './support/harness.js',
    '../tools/harness/api-process.js',
    '../libs/tokens/src/pool/token.js',
    '@app/local-postgres',
    'pg',
  ),
};

/** For each rule, the files that break it. */
const SINS: Readonly<Record<string, Files>> = {
  'domain-is-pure': { 'libs/tokens/src/kernel/framework.ts': imports('@nestjs/common') },
  'tokens-kernel': { 'libs/tokens/src/kernel/upwards.ts': imports('../pool/token.js') },
  'tokens-pool': {
    'libs/tokens/src/pool/upwards.ts': imports('../reading/views.js'),
    'libs/tokens/src/pool/outwards.ts': imports('../commands/command.js'),
  },
  'tokens-reading': { 'libs/tokens/src/reading/upwards.ts': imports('../feed/live-feed.js') },
  'tokens-commands': { 'libs/tokens/src/commands/sideways.ts': imports('../feed/live-feed.js') },
  'tokens-feed': { 'libs/tokens/src/feed/sideways.ts': imports('../audit/auditor.js') },
  'tokens-audit': {
    'libs/tokens/src/audit/sideways.ts': imports('../commands/command.js'),
    'libs/tokens/src/audit/rules.ts': imports('../pool/token.js'),
  },
  'tokens-lives-in-rooms': { 'libs/tokens/src/corner/pair.ts': imports('node:crypto') },
  'postgres-connection': { 'libs/postgres/src/connection/upwards.ts': imports('../schema/data-source.js') },
  'postgres-schema': { 'libs/postgres/src/schema/upwards.ts': imports('../reading/cursor.js') },
  'postgres-commands': { 'libs/postgres/src/commands/sideways.ts': imports('../reading/cursor.js') },
  'postgres-reading': { 'libs/postgres/src/reading/sideways.ts': imports('../commands/repository.js') },
  'postgres-audit': { 'libs/postgres/src/audit/sideways.ts': imports('../commands/repository.js') },
  'postgres-keys': { 'libs/postgres/src/keys/sideways.ts': imports('../commands/repository.js') },
  'postgres-lives-in-rooms': { 'libs/postgres/src/corner/pair.ts': imports('node:crypto') },
  'keys-know-only-the-domain': { 'libs/keys/src/index.ts': imports('@app/tokens', 'pg') },
  'domain-specs-do-no-io': { 'libs/tokens/src/pool/database.spec.ts': imports('pg') },
  'adapter-knows-domain-and-driver': { 'libs/postgres/src/connection/framework.ts': imports('@nestjs/common') },
  'local-postgres-stands-alone': { 'libs/local-postgres/src/index.ts': imports('node:net', 'pg') },
  'client-stands-alone': { 'libs/client/src/secrets.ts': imports('node:crypto', '@app/tokens') },
  'cli-knows-only-the-client': { 'apps/cli/src/shortcut.ts': imports('@app/tokens') },
  'libs-know-no-app': { 'libs/ledger/src/index.ts': imports('../../../apps/api/src/persistence.module.js') },
  'only-the-joint-names-infrastructure': {
    'apps/api/src/adapter.ts': imports('@app/postgres'),
    'apps/api/src/server.ts': imports('@app/local-postgres'),
    'apps/api/src/driver.ts': imports('pg'),
  },
  'apps-know-no-other-app': { 'apps/admin/src/neighbour.ts': imports('../../api/src/egg.js') },
  'product-knows-no-tool': {
    'apps/api/src/measured.ts': imports('../../../tools/harness/api-process.js'),
    'libs/gauge/src/index.ts': imports('../../../tools/harness/api-process.js'),
  },
  'tools-know-no-other-tool': { 'tools/chaos/neighbour.ts': imports('../bench/cluster.js') },
  'harness-knows-no-tool': { 'tools/harness/upwards.ts': imports('../release/archive.js') },
  'console-runs-in-a-browser': {
    'apps/console/src/server.ts': imports('node:http'),
    'apps/console/src/rules.ts': imports('@app/tokens'),
  },
  'apps-use-the-door-of-a-lib': { 'apps/api/src/window.ts': imports('../../../libs/tokens/src/pool/token.js') },
  'libs-use-the-door-of-a-lib': {
    'libs/postgres/src/commands/window.ts': imports('../../../tokens/src/pool/token.js'),
  },
  'shipped-code-needs-no-tests': {
    'apps/api/src/tested.ts': imports('../../../test/support/harness.js'),
    'libs/tokens/src/pool/doubled.ts': imports('../testing/double.js'),
  },
  'no-dev-dependencies-shipped': { 'apps/api/src/checked.ts': imports('fast-check') },
  'no-undeclared-dependencies': { 'apps/api/src/lucky.ts': imports('stranger') },
  'no-unresolvable': { 'apps/api/src/lost.ts': imports('./nowhere.js') },
  'no-cycles': { 'apps/api/src/egg.ts': imports('./persistence.module.js') },
  'no-orphans': { 'libs/tokens/src/pool/dead.ts': imports('./token.js'), 'apps/api/src/alone.ts': 'export {};\n' },
  'no-tool-orphans': { 'tools/demo/alone.ts': 'export {};\n' },
  'no-test-orphans': {
    'test/support/unused.ts': imports('./harness.js'),
    'libs/tokens/src/testing/unused.ts': imports('../pool/token.js'),
  },
};

/** The good house with all sins in it, each within reach of its door; what nothing reaches is a sin of its own. */
function sinfulHouse(): Files {
  const { 'no-orphans': dead, ...living } = SINS;
  const sins = Object.assign({}, ...Object.values(living)) as Files;
  const door = (path: string, folder: string): Files => ({
    [path]: [sins[path] ?? GOOD_HOUSE[path] ?? '', ...within(folder, path)].join(''),
  });
  const within = (folder: string, door: string): string[] =>
    Object.keys(sins)
      .filter((path) => path.startsWith(`${folder}/`) && path !== door && !/\.spec\.ts$|\/testing\//.test(path))
      .map((path) => imports(`./${relative(folder, path).replace(/\.ts$/, '.js')}`));
  return {
    ...GOOD_HOUSE,
    ...sins,
    ...dead,
    ...door('apps/api/src/main.ts', 'apps/api/src'),
    ...door('apps/console/src/main.tsx', 'apps/console/src'),
    ...door('apps/cli/src/main.ts', 'apps/cli/src'),
    ...door('apps/admin/src/main.ts', 'apps/admin/src'),
    ...door('tools/chaos/main.ts', 'tools/chaos'),
    ...door('tools/harness/api-process.ts', 'tools/harness'),
    ...door('libs/client/src/index.ts', 'libs/client/src'),
    ...door('libs/tokens/src/index.ts', 'libs/tokens/src'),
    ...door('libs/postgres/src/index.ts', 'libs/postgres/src'),
  };
}

describe('the arrows between the rooms', () => {
  it('are kept in the real tree', async () => {
    const real = await cruise(ROOT);
    expect(violations(real)).toEqual([]);
    expect(real.summary.totalCruised).toBeGreaterThan(30);
  });

  it('let happen what is allowed', async () => {
    expect(violations(await cruise(house(GOOD_HOUSE)))).toEqual([]);
  });

  it('are guarded by rules of which each fires for its own sin, and for no other', async () => {
    const sinful = await cruise(house(sinfulHouse()));
    const expected = Object.entries(SINS).flatMap(([rule, files]) =>
      Object.keys(files).map((path) => `${rule}: ${path}`),
    );
    expect(violations(sinful)).toEqual(expected.sort());
    expect(Object.keys(SINS).sort()).toEqual(sinful.summary.ruleSetUsed.forbidden.map(({ name }) => name).sort());
  });
});

describe('the rules of ESLint', () => {
  interface Sin {
    readonly rule: string;
    readonly room?: string;
    readonly source: string;
  }
  const ofTypes: readonly Sin[] = [
    {
      rule: '@typescript-eslint/no-floating-promises',
      source: 'export const forget = () => {\n  Promise.resolve();\n};\n',
    },
    {
      rule: '@typescript-eslint/no-misused-promises',
      source: 'export const odd = (on: Promise<number>) => (on ? 1 : 2);\n',
    },
    {
      rule: '@typescript-eslint/switch-exhaustiveness-check',
      source:
        "export function end(on: 'a' | 'b') {\n  switch (on) {\n    case 'a':\n      return 1;\n  }\n  return 0;\n}\n",
    },
    {
      rule: '@typescript-eslint/consistent-type-imports',
      source: "import { Stats } from 'node:fs';\nexport const size = (of: Stats) => of.size;\n",
    },
    {
      rule: '@typescript-eslint/no-explicit-any',
      source: 'export const what = (value: any) => typeof value;\n',
    },
    {
      rule: '@typescript-eslint/no-unsafe-return',
      source: 'export const parsed = (text: string): number => JSON.parse(text);\n',
    },
  ];
  const ofTime: readonly Omit<Sin, 'room'>[] = [
    { rule: 'no-restricted-globals', source: 'export const later = (work: () => void) => setTimeout(work, 9);\n' },
    { rule: 'no-restricted-globals', source: 'export const often = (work: () => void) => setInterval(work, 9);\n' },
    { rule: 'no-restricted-globals', source: 'export const elapsed = () => performance.now();\n' },
    { rule: 'no-restricted-globals', source: "export const home = () => process.env['HOME'];\n" },
    { rule: 'no-restricted-globals', source: "export const ask = () => fetch('http://localhost');\n" },
    { rule: 'no-restricted-properties', source: 'export const now = () => Date.now();\n' },
    { rule: 'no-restricted-properties', source: 'export const sly = () => globalThis.performance;\n' },
    { rule: 'no-restricted-syntax', source: 'export const today = () => new Date();\n' },
    { rule: 'no-restricted-imports', source: "export { readFileSync } from 'node:fs';\n" },
    { rule: 'no-restricted-imports', source: "export { setTimeout } from 'timers/promises';\n" },
  ];
  const here: Sin = { rule: 'no-restricted-globals', room: 'pool', source: 'export const soon = setImmediate;\n' };
  const sins = [...ofTypes, ...['pool', 'audit'].flatMap((room) => ofTime.map((sin) => ({ ...sin, room }))), here];
  const allowed: Files = {
    'libs/tokens/src/commands/timed.ts': ofTime.map(({ source }) => source).join(''),
    'libs/tokens/src/audit/patient.ts': here.source,
    'libs/tokens/src/pool/random.ts': "export { randomUUID } from 'node:crypto';\n",
    'libs/tokens/src/pool/timed.spec.ts': ofTime[0]!.source,
  };

  it('fire, each for its own sin, and let happen what is allowed', async () => {
    const planted = sins.map(({ room = 'kernel', source }, i) => [`libs/tokens/src/${room}/sin-${i}.ts`, source]);
    const folder = house({ ...(Object.fromEntries(planted) as Files), ...allowed });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    type Found = { filePath: string; messages: { ruleId: string }[] }[];
    const found = await json<Found>(folder, 'eslint/bin/eslint.js', '--format', 'json', 'libs');
    const fired = found.flatMap(({ filePath, messages }) =>
      messages.map(({ ruleId }) => `${relative(folder, filePath)}: ${ruleId}`),
    );
    expect(fired.sort()).toEqual(planted.map(([path], i) => `${path}: ${sins[i]!.rule}`).sort());
  });
});

/** Of others: what is installed, and what generators make. */
const OF_OTHERS = ['node_modules', 'generated'];

function walk(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true }).filter(({ name }) => !OF_OTHERS.includes(name));
  return entries.flatMap((entry) =>
    entry.isDirectory() ? [`${join(path, entry.name)}/`, ...walk(join(path, entry.name))] : [join(path, entry.name)],
  );
}

const tree = ['apps', 'libs', 'test', 'tools']
  .flatMap((top) => walk(join(ROOT, top)))
  .map((path) => relative(ROOT, path))
  .filter((path) => !/^(apps|libs)\/[^/]+\/dist\//.test(path));
const sources = tree.filter((path) => /\.tsx?$/.test(path));
const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const codeOf = (text: string): string => text.replace(/\/\*[^]*?\*\/|(?<!:)\/\/.*/g, '');

describe('the names of the rooms', () => {
  it.each([
    'apps',
    'libs',
    'test',
    'ormconfig.ts',
    'nest-cli.json',
    'docker-compose.yml',
    'tsconfig.json',
    'README.md',
  ])('stand where everybody looks for them: %s', (name) => {
    expect(existsSync(name)).toBe(true);
  });

  const homeless = (path: string): boolean => /(^|\/)(common|shared|utils?|core|helpers?)(\/|$)/.test(path);

  it('say what is in them: none is called common, shared, utils or core', () => {
    expect(tree.length).toBeGreaterThan(30);
    expect(tree.filter(homeless)).toEqual([]);
  });

  it('would not pass otherwise', () => {
    expect(['libs/common/src/a.ts', 'libs/tokens/src/utils'].filter(homeless)).toHaveLength(2);
    expect(homeless('libs/tokens/src/core-values.ts')).toBe(false);
  });
});

describe('time and environment', () => {
  const clock = (text: string): boolean => /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)/.test(codeOf(text));
  const environment = (text: string): boolean =>
    /\bprocess\s*\.\s*env\b|\bprocess\s*\[|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b|from 'node:process'/.test(
      codeOf(text),
    );
  const libs = sources.filter((path) => path.startsWith('libs/') && !path.endsWith('.spec.ts'));
  // local-postgres waits for a server process and judges the age of files, for which there is no other clock. The client's
  // leases go on while its machine is suspended, which only the wall clock shows.
  const timed = libs.filter((path) => !path.startsWith('libs/local-postgres/') && path !== 'libs/client/src/clock.ts');

  it('come into the libs as arguments: none reads the clock of the process', () => {
    expect(timed.length).toBeGreaterThan(20);
    expect(timed.filter((path) => clock(textOf(path)))).toEqual([]);
  });

  it('come into the libs as arguments: none reads the environment', () => {
    expect(libs.filter((path) => environment(textOf(path)))).toEqual([]);
  });

  it('would be noticed otherwise', () => {
    expect(['a = Date.now();', 'new Date()', 'new Date( )', 'map(Date.now)'].filter(clock)).toHaveLength(4);
    expect(['// never Date.now()', '/* new Date() */', 'new Date(at)'].filter(clock)).toEqual([]);
    expect(["process.env['A']", "process['env']", 'const { env } = process;'].filter(environment)).toHaveLength(3);
    expect(['// process.env', 'process.env_'].filter(environment)).toEqual([]);
  });
});

describe('a rule of ESLint that is switched off', () => {
  const unexplained = (text: string): string[] =>
    (text.match(/eslint-disable.*/g) ?? []).filter((line) => !/ -- \S/.test(line));

  it('has its reason beside it', () => {
    const others = sources.filter((path) => path !== relative(ROOT, __filename));
    expect(others.flatMap((path) => unexplained(textOf(path)))).toEqual([]);
  });

  it('would be noticed otherwise', () => {
    expect(unexplained('// eslint-disable-next-line no-empty')).toHaveLength(1);
    expect(unexplained('// eslint-disable-next-line no-empty -- it is optional')).toEqual([]);
  });
});
