// What is said of packages of others holds for the real files, and each check fails for its own fault: spoilt copies.

import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '../..');
const FILES = [
  'package.json',
  'package-lock.json',
  'docs/dependencies.md',
  'test/clients/generators/package.json',
  'test/clients/generators/package-lock.json',
  '.ci/weaknesses.json',
  'apps/console/src',
];

const folder = mkdtempSync(join(tmpdir(), 'supply-chain-'));
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(() => {
  for (const file of FILES) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file), { recursive: true });
  }
});

interface Outcome {
  readonly code: number | null;
  readonly said: string;
}

function run(script: string, of: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [join(ROOT, '.ci', script), of], { env: { ...process.env, ...env } });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  child.stderr.on('data', (text: Buffer) => (said += text.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })));
}

type Json = Record<string, Record<string, Record<string, unknown>>>;

function rewrite(file: string, change: (content: Json) => void): void {
  const content = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Json;
  change(content);
  writeFileSync(join(folder, file), JSON.stringify(content));
}

const locked = (file: string, place: string, fields: object): void =>
  rewrite(file, ({ packages }) => (packages![place] = { ...packages![place], ...fields }));

describe('the check of lock files, scripts, licences and reasons', () => {
  it('passes them as they are', async () => {
    expect(await run('supply-chain.mjs', ROOT)).toMatchObject({ code: 0 });
  });

  it('refuses a copy with every fault in it, for each fault and for nothing else', async () => {
    const lock = 'package-lock.json';
    locked(lock, 'node_modules/express', { hasInstallScript: true });
    locked(`test/clients/generators/${lock}`, 'node_modules/newman', { hasInstallScript: true });
    locked(lock, 'node_modules/pg', { integrity: undefined });
    locked(lock, 'node_modules/pino', { resolved: 'git+ssh://git@example.com/pino.git#1' });
    locked(lock, 'node_modules/qs', { license: 'AGPL-3.0' });
    locked(lock, 'node_modules/preact', { license: undefined });
    rewrite(lock, ({ packages }) => delete packages!['node_modules/@swc/core-darwin-arm64']);
    rewrite('package.json', ({ allowScripts, dependencies }) => {
      Object.assign(allowScripts!, { '@swc/core': true, ghost: false });
      delete dependencies!['rxjs'];
      Object.assign(dependencies!, {
        typeorm: '^1.1.1',
        ...Object.fromEntries(STRANGERS.map((name) => [name, '1.0.0'])),
      });
    });
    const { code, said } = await run('supply-chain.mjs', folder);
    expect(
      said
        .trim()
        .replace(/^\d+(?= run-time)/m, 'Too many')
        .split('\n')
        .sort(),
    ).toEqual(
      [
        '.: express has an install script: deny it in allowScripts (express: false)',
        '.: @swc/core has an install script: deny it in allowScripts (@swc/core: false)',
        '.: ghost is in allowScripts and has no install script',
        'test/clients/generators: newman has an install script: deny it in allowScripts (newman: false)',
        '.: node_modules/pg is not a package of a registry with an integrity',
        '.: node_modules/pino is not a package of a registry with an integrity',
        '.: node_modules/@swc/core has the optional dependency @swc/core-darwin-arm64, which the lock does not know',
        '.: typeorm is wanted as ^1.1.1: name one version',
        'node_modules/qs is shipped under AGPL-3.0, which is not on the list',
        'node_modules/preact is shipped under no licence, which is not on the list',
        'docs/dependencies.md gives a reason for rxjs, which is no dependency',
        ...STRANGERS.map((name) => `docs/dependencies.md gives no reason for the dependency ${name}`),
        'Too many run-time dependencies, and at most 15 may be',
      ].sort(),
    );
    expect(code).toBe(1);
  });
});

const STRANGERS = ['cookie', 'debug', 'depd', 'etag', 'send'];

interface Entry {
  readonly version: string;
  readonly dependencies?: object;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Entry> };

interface Bill {
  readonly components: { name: string; version: string; purl: string; licenses: { license: { id: string } }[] }[];
}

describe('the bill of materials', () => {
  it('has what the lock says that production installs, and what the console contains, and nothing else', async () => {
    const { code, said } = await run('sbom.mjs', ROOT);
    expect(code).toBe(0);
    const { components } = JSON.parse(said.slice(said.indexOf('\n{') + 1)) as Bill;
    // By the marks of npm, and not by the walk that the script makes.
    const installed = Object.entries(lock.packages)
      .filter(([place, { dev, optional, devOptional }]) => place !== '' && !dev && !optional && !devOptional)
      .map(([place, { version }]) => `${place.split('node_modules/').at(-1)}@${version}`);
    const bundled = ['@preact/signals', '@preact/signals-core', 'preact', 'uplot'].map(
      (name) => `${name}@${lock.packages[`node_modules/${name}`]!.version}`,
    );
    expect(components.map(({ name, version }) => `${name}@${version}`).sort()).toEqual(
      [...new Set([...installed, ...bundled])].sort(),
    );
    expect(components.filter(({ licenses }) => licenses[0]?.license.id === undefined)).toEqual([]);
    expect(components.find(({ name }) => name === '@nestjs/core')?.purl).toMatch(/^pkg:npm\/%40nestjs\/core@12\./);
  });

  it('is refused when it breaks the schema of CycloneDX', async () => {
    locked('package-lock.json', 'node_modules/express', { license: 'As you like it' });
    expect(await run('sbom.mjs', folder)).toEqual({
      code: 1,
      said: expect.stringContaining('/license/id must be equal'),
    });
  });
});

describe('the question for known weaknesses', () => {
  const ADVISORY = {
    id: 1,
    url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc',
    title: 'Of no use but for this test',
    severity: 'high',
    vulnerable_versions: '*',
  };
  let answer: { status: number; advisories: object };
  const registry = createServer((request, response) => {
    const name = decodeURIComponent(request.url!.slice(1));
    const isQuestion = name.endsWith('/advisories/bulk');
    response.writeHead(isQuestion ? answer.status : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isQuestion ? answer.advisories : aboutPackage(name)));
  });
  /** npm looks who needs the weak one, and whether there is a better version. */
  const aboutPackage = (name: string): object => {
    const { version, dependencies } = lock.packages[`node_modules/${name}`]!;
    return { name, versions: { [version]: { name, version, dependencies } }, 'dist-tags': { latest: version } };
  };
  let url: string;
  beforeAll(async () => {
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
  });
  afterAll(() => registry.close());

  const ask = (): Promise<Outcome> =>
    run('audit-dependencies.mjs', folder, { npm_config_registry: url, npm_config_fetch_retries: '0' });
  const explain = (...explanations: object[]): void =>
    writeFileSync(join(folder, '.ci/weaknesses.json'), JSON.stringify(explanations));
  const EXPLANATION = {
    advisory: 'GHSA-aaaa-bbbb-cccc',
    package: 'express',
    reason: 'we do not call it',
    until: '2999-12-31',
  };

  it('passes when there is none', async () => {
    answer = { status: 200, advisories: {} };
    expect(await ask()).toEqual({ code: 0, said: expect.stringContaining('explained: 0') });
  });

  it('refuses one that is not explained, and takes the explanation', async () => {
    answer = { status: 200, advisories: { express: [ADVISORY] } };
    expect(await ask()).toEqual({
      code: 1,
      said: 'GHSA-aaaa-bbbb-cccc: express *: Of no use but for this test (high)\n',
    });
    explain(EXPLANATION);
    expect(await ask()).toEqual({ code: 0, said: expect.stringContaining('explained: 1') });
  });

  it('refuses an explanation that is over, incomplete or of no use any more', async () => {
    answer = { status: 200, advisories: {} };
    explain({ ...EXPLANATION, until: '2026-11-20' });
    expect(await ask()).toEqual({ code: 1, said: expect.stringContaining('was explained until 2026-11-20') });
    explain({ ...EXPLANATION, reason: '' });
    expect(await ask()).toEqual({ code: 1, said: expect.stringContaining('has advisory, package, reason and until') });
    explain(EXPLANATION);
    expect(await ask()).toEqual({ code: 1, said: expect.stringContaining('is explained and not there any more') });
  });

  it('says that nothing is known when the registry does not tell', async () => {
    answer = { status: 405, advisories: {} };
    expect(await ask()).toEqual({
      code: 75,
      said: expect.stringMatching(/^the registry does not tell of weaknesses: 405/),
    });
  });
});
