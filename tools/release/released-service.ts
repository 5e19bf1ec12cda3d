// Unpacks a released version of the API, as compiled then, from the archive of `npm run release:keep`.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

/** `npm run` starts programs in the folder of package.json. */
const ROOT = process.cwd();
const ARCHIVES = join(ROOT, 'test/released');
const ENDING = '.tar.gz';

/** @returns the stored versions, the oldest first */
export const releases = (): string[] =>
  readdirSync(ARCHIVES)
    .filter((name) => name.endsWith(ENDING))
    .map((name) => basename(name, ENDING))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));

export class ReleasedService {
  private constructor(
    readonly version: string,
    readonly directory: string,
  ) {}

  /** Unpacks inside the project, so that imports find node_modules. */
  static async unpack(version: string): Promise<ReleasedService> {
    const directory = join(ROOT, 'dist/released', `${version}-${process.pid}-${randomBytes(3).toString('hex')}`);
    mkdirSync(directory, { recursive: true });
    await promisify(execFile)('tar', ['-xzf', join(ARCHIVES, `${version}${ENDING}`), '-C', directory]);
    return new ReleasedService(version, directory);
  }

  /** @returns the compiled main.js, which is at the top of the folder since 0.2.0 */
  get main(): string {
    const top = join(this.directory, 'main.js');
    return existsSync(top) ? top : join(this.directory, 'apps/api/src/main.js');
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
