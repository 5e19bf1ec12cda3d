// Compiles the API into a folder of its own, since other programs may build at the same time and mutants need copies.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** `npm run` starts programs in the folder of package.json. */
const ROOT = process.cwd();

/** One exact replacement in a compiled file. */
export interface Patch {
  /** Below the folder of the compiled service. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export class BuiltService {
  private constructor(readonly directory: string) {}

  /** Compiles inside the project, so that imports find node_modules. @throws Error with the compiler's output */
  static async build(): Promise<BuiltService> {
    const directory = newFolder();
    try {
      const args = ['tools/build.mjs', 'api', '--to', join(directory, 'service')];
      await promisify(execFile)(process.execPath, args, { cwd: ROOT });
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      throw new Error(`the API does not compile: ${stdout}${stderr}`, { cause: error });
    }
    return new BuiltService(directory);
  }

  /** Copies a folder that holds a compiled API. */
  static copyOf(compiled: string): BuiltService {
    const copy = new BuiltService(newFolder());
    cpSync(compiled, join(ROOT, copy.directory, 'service'), { recursive: true });
    return copy;
  }

  get main(): string {
    return join(ROOT, this.directory, 'service/main.js');
  }

  /** Makes a copy with the patches. @throws Error as `patched` does */
  variant(patches: readonly Patch[]): BuiltService {
    const texts = this.patched(patches);
    const copy = BuiltService.copyOf(join(ROOT, this.directory, 'service'));
    for (const [file, text] of texts) writeFileSync(join(ROOT, copy.directory, 'service', file), text);
    return copy;
  }

  /**
   * @returns the texts of the patched files, by path
   * @throws Error when a patch does not match exactly one place: then the mutant needs an update
   */
  patched(patches: readonly Patch[]): ReadonlyMap<string, string> {
    const texts = new Map<string, string>();
    for (const { file, from, to } of patches) {
      const text = texts.get(file) ?? readFileSync(join(ROOT, this.directory, 'service', file), 'utf8');
      const pieces = text.split(from);
      if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} places, not one, that say: ${from}`);
      texts.set(file, pieces.join(to));
    }
    return texts;
  }

  remove(): void {
    rmSync(join(ROOT, this.directory), { recursive: true, force: true });
  }
}

function newFolder(): string {
  const folder = join('dist/copies', `${process.pid}-${randomBytes(3).toString('hex')}`);
  mkdirSync(join(ROOT, folder), { recursive: true });
  return folder;
}
