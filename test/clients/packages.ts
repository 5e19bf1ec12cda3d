// The packages as they are published: packed, and unpacked beside their dependencies.

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '../..');
const run = promisify(execFile);

export interface Packages {
  /** Where a program that uses them may lie. */
  readonly folder: string;
  /** The `node_modules` in it. */
  readonly modules: string;
  remove(): Promise<void>;
}

export async function publishedPackages(): Promise<Packages> {
  const folder = await mkdtemp(join(tmpdir(), 'token-pool-packages-'));
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, '@token-pool'), { recursive: true });
  for (const name of ['openapi-fetch', 'openapi-typescript-helpers']) {
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  const checkout = await checkoutIn(join(folder, 'checkout'));
  await unpacked(join(checkout, 'libs/client'), join(modules, '@token-pool/client'));
  await unpacked(join(checkout, 'apps/cli'), join(modules, 'tokenpool'));
  return { folder, modules, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** What is compiled there is in nobody's way here. */
async function checkoutIn(folder: string): Promise<string> {
  const isSource = (path: string): boolean => basename(path) !== 'dist';
  for (const path of ['package.json', 'tsconfig.json', 'nest-cli.json', 'tools/build.mjs', 'libs/client', 'apps/cli']) {
    await cp(join(ROOT, path), join(folder, path), { recursive: true, filter: isSource });
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

async function unpacked(source: string, target: string): Promise<void> {
  const packed = join(source, 'packed');
  await mkdir(packed);
  await run('npm', ['pack', '--pack-destination', packed], { cwd: source });
  const [archive] = await readdir(packed);
  await run('tar', ['-xzf', join(packed, archive!)], { cwd: packed });
  await cp(join(packed, 'package'), target, { recursive: true });
}
