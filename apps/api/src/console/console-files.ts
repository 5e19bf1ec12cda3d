// The built files of apps/console, read once and kept in memory (some hundred kilobytes). The path of a request never
// reaches the file system.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { KeptFile } from '../http/kept-file.js';
import { PROJECT } from '../version.js';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const PAGE = 'index.html';
/** Deeper than every page of the console: the limit bounds the memory that `page` can fill. */
const MOST_DEPTH = 10;

@Injectable()
export class ConsoleFiles {
  #files: ReadonlyMap<string, KeptFile> | undefined;
  readonly #pages = new Map<number, KeptFile | undefined>();

  /**
   * @param name path below dist/console, with `/` between folders
   * @returns undefined when the build contains no such file
   */
  find(name: string): KeptFile | undefined {
    return (this.#files ??= readFiles(join(PROJECT, 'dist/console'))).get(name);
  }

  /**
   * The page, which refers to its files relative to the browser's address, so that a proxy can serve the console below
   * a prefix. Keeps one copy for each depth.
   * @param depth the number of slashes in the path
   * @returns undefined when the console is not built, or the path is deeper than any page
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
