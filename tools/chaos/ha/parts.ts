// Finds the programs that the run needs where packages install them; installs nothing.

import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Parts {
  /** The folder of initdb, postgres, pg_basebackup, pg_rewind. */
  readonly postgres: string;
  readonly pgbouncer: string;
  readonly haproxy: string;
}

const DEBIAN = '/usr/lib/postgresql';
const SERVER = ['postgres', 'initdb', 'pg_basebackup', 'pg_rewind'];
const OLDEST = 15;

/** @returns the programs, or the missing ones in words */
export function findParts(): Parts | { readonly missing: readonly string[] } {
  const postgres = [...debianFolders(), ...folders()].find(
    (folder) => hasServer(folder) && versionOf(folder) >= OLDEST,
  );
  const [pgbouncer, haproxy] = ['pgbouncer', 'haproxy'].map(program);
  if (postgres !== undefined && pgbouncer !== undefined && haproxy !== undefined)
    return { postgres, pgbouncer, haproxy };
  const missing = [
    ...(postgres === undefined ? [`PostgreSQL ${OLDEST} or later with ${SERVER.join(', ')}`] : []),
    ...(pgbouncer === undefined ? ['PgBouncer'] : []),
    ...(haproxy === undefined ? ['HAProxy'] : []),
  ];
  return { missing };
}

/** @returns the folders of Debian's packages, the newest version first */
function debianFolders(): string[] {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(DEBIAN, version, 'bin'));
}

/** The folders of daemons are not always in the PATH. */
const folders = (): string[] => [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

const program = (name: string): string | undefined =>
  folders()
    .map((folder) => join(folder, name))
    .find(isExecutable);

const hasServer = (folder: string): boolean => SERVER.every((name) => isExecutable(join(folder, name)));

const versionOf = (folder: string): number =>
  parseInt(/\d+/.exec(execFileSync(join(folder, 'postgres'), ['--version'], { encoding: 'utf8' }))?.[0] ?? '0');

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
