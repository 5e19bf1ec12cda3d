// The packages as they are published are used from where they were installed.

import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { minify } from '@swc/core';
import { startApp, type TestApp } from '../support/app.js';
import { publishedPackages, type Packages } from './packages.js';

const ROOT = join(__dirname, '../..');
const run = promisify(execFile);

let app: TestApp;
let packages: Packages;
let folder: string;
let modules: string;
beforeAll(async () => {
  app = await startApp();
  packages = await publishedPackages();
  ({ folder, modules } = packages);
});
afterAll(async () => {
  await packages.remove();
  await app.close();
});

const filesOf = async (path: string): Promise<string[]> =>
  (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));

async function example(): Promise<string> {
  const readme = await readFile(join(ROOT, 'libs/client/README.md'), 'utf8');
  const [, code] = /```ts\n([\s\S]*?)```/.exec(readme)!;
  return code!.replace('http://127.0.0.1:4000', app.url);
}

test.each([
  ['nodenext', ['--module', 'nodenext']],
  ['bundler', ['--module', 'es2022', '--moduleResolution', 'bundler']],
  ['node10', ['--module', 'es2022', '--moduleResolution', 'node10', '--ignoreDeprecations', '6.0']],
])(
  'the example of the client compiles strictly, for browsers and without checks left out (%s)',
  async (_, resolution) => {
    await writeFile(join(folder, 'example.mts'), await example());
    const options = [
      '--strict',
      '--noEmit',
      ...resolution,
      '--target',
      'es2022',
      '--lib',
      'es2022,dom,dom.asynciterable',
    ];
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    const compiled = run(process.execPath, [compiler, ...options, 'example.mts'], { cwd: folder });
    expect(
      await compiled.then(
        () => '',
        ({ stdout }: { stdout: string }) => stdout,
      ),
    ).toBe('');
  },
);

test('the example of the client does what it says', async () => {
  await writeFile(join(folder, 'example.mjs'), await example());
  const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd: folder });
  expect([stdout.trim().split('\n'), stderr]).toEqual([
    ['worked under fence 1', '2 is held', '1 ended: released_by_client', '2 ended: released_by_client'],
    '',
  ]);
});

test('the client is as large as its README says', async () => {
  const files = await filesOf(join(modules, '@token-pool/client/dist'));
  const own = files
    .filter((file) => file.endsWith('.js'))
    .map((file) => join(modules, '@token-pool/client/dist', file));
  const sizes = await Promise.all([gzipped(own), gzipped([...own, join(modules, 'openapi-fetch/dist/index.mjs')])]);
  const readme = await readFile(join(ROOT, 'libs/client/README.md'), 'utf8');
  const said = [...readme.matchAll(/([\d.]+) kB/g)].map(([, kilobytes]) => Number(kilobytes));
  const faults = sizes
    .map((bytes, i) => [bytes, said[i]!] as const)
    .filter(([is, kB]) => Math.abs(is - 1000 * kB) > 200);
  expect(faults).toEqual([]);
});

/** Of the modules one after another, which is a little more than a bundler makes of them. */
async function gzipped(files: readonly string[]): Promise<number> {
  const options = { module: true, compress: true, mangle: true };
  const minified = await Promise.all(
    files.map(async (file) => (await minify(await readFile(file, 'utf8'), options)).code),
  );
  return gzipSync(minified.join('\n'), { level: 9 }).length;
}

test('the packages hold what they need, and nothing else', async () => {
  const held = (
    await Promise.all(['@token-pool/client', 'tokenpool'].map((name) => filesOf(join(modules, name))))
  ).flat();
  expect(held).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/main.js']));
  expect(held.filter((file) => /spec|testing|tsbuildinfo|\.map$/.test(file))).toEqual([]);
});

test('the command line of the package works', async () => {
  const main = join(modules, 'tokenpool/dist/main.js');
  expect((await readFile(main, 'utf8')).startsWith('#!/usr/bin/env node\n')).toBe(true);
  const { stdout: version } = await run(process.execPath, [main, '--version'], { cwd: folder });
  const { version: ofPackage } = JSON.parse(await readFile(join(ROOT, 'apps/cli/package.json'), 'utf8')) as {
    version: string;
  };
  expect(version.trim()).toBe(ofPackage);
  const { stdout } = await run(process.execPath, [main, 'pools', 'default', '--json', '--url', app.url], {
    cwd: folder,
  });
  expect(JSON.parse(stdout)).toMatchObject({ name: 'default', size: 100 });
});

test('what is generated is of the committed document', async () => {
  const target = join(folder, 'openapi-types.ts');
  await run(
    process.execPath,
    [join(ROOT, 'node_modules/openapi-typescript/bin/cli.js'), 'openapi.json', '-o', target],
    {
      cwd: ROOT,
    },
  );
  const committed = await readFile(join(ROOT, 'libs/client/src/openapi-types.ts'), 'utf8');
  expect(await readFile(target, 'utf8')).toBe(committed);
});
