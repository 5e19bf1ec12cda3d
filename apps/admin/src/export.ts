// Exports a pool's events as compressed lines of JSON, and verifies such files, with or without the database.

import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { checkExport, compareExport, exportLines } from '@app/tokens';
import { createDataSource, PostgresAuditSource, PostgresPoolReader } from '@app/postgres';
import { readArguments, type Command } from './command.js';
import { databaseUrl } from './environment.js';
import { printFindings } from './print-findings.js';
import { progress } from './progress.js';
import { UsageError } from './usage-error.js';

const HELP = `Usage: DATABASE_URL=postgres://… npm run -s admin -- export [--to FOLDER] [POOL…]
       [DATABASE_URL=postgres://…] npm run -s admin -- export --verify FILE…

  --to      where POOL.jsonl.gz is written, of every pool or those named (events); a file is whole or not there
  --verify  checks numbers, hashes and counts of files; with DATABASE_URL also that the database's chain goes through them`;

export const exportEvents: Command = {
  summary: 'writes the events of pools to files, and verifies such files',
  help: HELP,
  async run(args) {
    const { values: options, positionals: named } = readArguments(args, {
      to: { type: 'string', default: 'events' },
      verify: { type: 'boolean' },
    });
    const url = databaseUrl('DATABASE_URL');
    if (options.verify && named.length === 0) throw new UsageError('--verify needs the files to be checked');
    if (!options.verify && url === undefined) throw new UsageError('DATABASE_URL must name the database');
    const source = url === undefined ? undefined : await createDataSource(url, { poolSize: 2 }).initialize();
    try {
      const events = source && new PostgresAuditSource(source);
      if (options.verify) return (await areRight(named, events)) ? 0 : 1;
      mkdirSync(options.to, { recursive: true });
      const pools = named.length > 0 ? named : await new PostgresPoolReader(source!).names();
      for (const pool of pools) await write(events!, pool, join(options.to, `${pool}.jsonl.gz`));
      return 0;
    } finally {
      await source?.destroy();
    }
  },
};

async function areRight(files: readonly string[], source?: PostgresAuditSource): Promise<boolean> {
  let isGood = true;
  for (const file of files) isGood = (await isRight(file, source)) && isGood;
  return isGood;
}

/** Writes to a temporary name, and renames the file when it is complete. */
async function write(source: PostgresAuditSource, pool: string, file: string): Promise<void> {
  const unfinished = `${file}.unfinished`;
  let last = 0;
  const lines = exportLines(source, pool, (seq, of) => {
    last = seq;
    progress(`${pool}: ${seq} of ${of} events`, seq % 250_000 === 0);
  });
  try {
    await pipeline(lines, createGzip(), createWriteStream(unfinished));
    await synced(unfinished);
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  progress('', false);
  console.log(`${file}: events up to seq ${last}`);
}

/** Flushes the file to the disk before the rename. */
async function synced(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.sync();
  await handle.close();
}

async function isRight(file: string, source?: PostgresAuditSource): Promise<boolean> {
  const report = await checkExport(linesOf(file)).catch((error: Error) => {
    throw new Error(`${file}: ${error.message}`);
  });
  const compared = source && (await compareExport(report, source));
  const findings = [...report.findings, ...(compared?.findings ?? [])];
  const count = report.finding_count + (compared?.findings.length ?? 0);
  const beside =
    compared && (compared.lacking === null ? ', and in the database' : `; not compared: ${compared.lacking}`);
  const verdict = count > 0 ? `✘ ${count} findings` : `✔ whole${beside ?? ''}`;
  console.log(`${file}: ${report.events} events of ${report.pool}, up to seq ${report.last_seq}: ${verdict}`);
  printFindings(findings, count);
  return count === 0;
}

function linesOf(file: string): AsyncIterable<string> {
  const unzipped = createGunzip();
  pipeline(createReadStream(file), unzipped).catch(() => undefined); // the reader of the stream gets the error
  return createInterface({ input: unzipped, crlfDelay: Infinity });
}
