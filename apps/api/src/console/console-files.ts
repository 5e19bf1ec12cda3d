// What `npm run build` made of apps/console, read once and kept: some hundred kilobytes. No path of a request ever
// reaches the file system.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Injectable } from '@nestjs/common';
import { KeptFile } from '../http/kept-file.js';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const PAGE = 'index.html';
/** No page of the console is that far down. */
const MOST_DEPTH = 10;

@Injectable()
export class ConsoleFiles {
  #files: ReadonlyMap<string, KeptFile> | undefined;
  readonly #pages = new Map<number, KeptFile | undefined>();

  /** @param name with `/` between folders; undefined when the build has made no such file */
  find(name: string): KeptFile | undefined {
    return (this.#files ??= readFiles(join(projectFolder(), 'dist/console'))).get(name);
  }

  /**
   * The one page, which names its files relative to the address that the browser has: so a proxy may serve the console
   * below a path of its own. One a depth is kept.
   * @param depth how many slashes come after "/console"
   */
  page(depth: number): KeptFile | undefined {
    if (depth > MOST_DEPTH) return undefined;
    if (!this.#pages.has(depth)) {
      const base = depth === 0 ? 'console/' : '../'.repeat(depth - 1);
      this.#pages.set(
        depth,
        this.find(PAGE)?.edited((html) => html.replaceAll('="./', `="${base}`)),
      );
    }
    return this.#pages.get(depth);
  }
}

function readFiles(folder: string): Map<string, KeptFile> {
  const entries = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    files.map((path) => {
      const type = TYPES[extname(path)] ?? 'application/octet-stream';
      return [path.slice(folder.length + 1).replaceAll('\\', '/'), new KeptFile(type, readFileSync(path))];
    }),
  );
}

/** Where package.json is, above this file, compiled or not. */
function projectFolder(from = dirname(fileURLToPath(import.meta.url))): string {
  return existsSync(join(from, 'package.json')) ? from : projectFolder(dirname(from));
}
