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

@Injectable()
export class ConsoleFiles {
  #files: ReadonlyMap<string, KeptFile> | undefined;

  /** @param name with `/` between folders; undefined when the build has made no such file */
  find(name: string): KeptFile | undefined {
    return (this.#files ??= readFiles(join(projectFolder(), 'dist/console'))).get(name);
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
