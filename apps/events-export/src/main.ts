// The audit as files: a pool's events as compressed lines of JSON, and the check of such files, with and without the database.
// Exit code 1: something is wrong; 2: it could not be done.

import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createGunzip, createGzip } from 'node:zlib';
import { withoutSecrets } from '@app/keys';
import { checkExport, compareExport, exportLines } from '@app/tokens';
import { createDataSource, PostgresAuditSource, PostgresPoolReader } from '@app/postgres';

const USAGE = `DATABASE_URL=postgres://… npm run events:export -- [--to FOLDER] [POOL…]
[DATABASE_URL=postgres://…] npm run events:export -- --verify FILE…

  --to      where POOL.jsonl.gz is written, of every pool or those named (events); a file is whole or not there
  --verify  checks numbers, hashes and counts of files; with DATABASE_URL also that the database's chain goes through them`;

const url = process.env['DATABASE_URL'];

try {
  await run();
} catch (error) {
  const { message, code } = error as Error & { code?: string };
  console.error(`Stopped: ${withoutSecrets(message || String(code))}`);
  process.exitCode = 2;
}

async function run(): Promise<void> {
  const { values: options, positionals: named } = parseArgs({
    allowPositionals: true,
    options: { to: { type: 'string', default: 'events' }, verify: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (options.help) return console.log(USAGE);
  if (options.verify && named.length === 0) throw new Error(`--verify needs the files to be checked\n\n${USAGE}`);
  if (!options.verify && !url) throw new Error(`DATABASE_URL must name the database\n\n${USAGE}`);
  const source = url === undefined ? undefined : createDataSource(url, { poolSize: 2 });
  try {
    await source?.initialize();
    const events = source && new PostgresAuditSource(source);
    if (options.verify) {
      for (const file of named) if (!(await isRight(file, events))) process.exitCode = 1;
      return;
    }
    mkdirSync(options.to, { recursive: true });
    const pools = named.length > 0 ? named : (await new PostgresPoolReader(source!).pools()).map(({ name }) => name);
    for (const pool of pools) await write(events!, pool, join(options.to, `${pool}.jsonl.gz`));
  } finally {
    if (source?.isInitialized) await source.destroy();
  }
}

/** Under another name until it is whole. */
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

/** On the disk, before it has its name. */
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
  const more = report.finding_count - report.findings.length;
  const beside =
    compared && (compared.lacking === null ? ', and in the database' : `; not compared: ${compared.lacking}`);
  const verdict = findings.length > 0 ? `✘ ${findings.length + more} findings` : `✔ whole${beside ?? ''}`;
  console.log(`${file}: ${report.events} events of ${report.pool}, up to seq ${report.last_seq}: ${verdict}`);
  for (const finding of findings) console.log(`  ${finding}`);
  if (more > 0) console.log(`  and ${more} more`);
  return findings.length === 0;
}

function linesOf(file: string): AsyncIterable<string> {
  const unzipped = createGunzip();
  pipeline(createReadStream(file), unzipped).catch(() => undefined); // whoever reads it hears of it
  return createInterface({ input: unzipped, crlfDelay: Infinity });
}

/** In a terminal on one line that is written over; elsewhere a line of its own for what is a milestone. */
function progress(text: string, isMilestone: boolean): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (isMilestone) process.stderr.write(`${text}\n`);
}
