// The auditor on the command line: reads every pool of a database, or those named, and says all that is wrong.
// Exit code 1: something is wrong; 2: it could not be told.

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { withoutSecrets } from '@app/keys';
import { auditPool, readCheckpoint, signCheckpoint, type AuditReport, type ChainPoint } from '@app/tokens';
import { createDataSource, PostgresAuditSource, PostgresPoolReader } from '@app/postgres';

const USAGE = `DATABASE_URL=postgres://… npm run audit -- [POOL…] [--checkpoint FILE | --verify FILE] [--key PEM]

  --checkpoint  when all is sound, writes what the chains of hashes are now, signed with the private key
  --verify      checks that the chains contain a checkpoint, whose signature is checked with the public key
  --key         an Ed25519 key: openssl genpkey -algorithm ed25519 -out private.pem
                                openssl pkey -in private.pem -pubout -out public.pem`;

try {
  await run();
} catch (error) {
  const { message, code } = error as Error & { code?: string };
  console.error(`The audit stopped: ${withoutSecrets(message || String(code))}`);
  process.exitCode = 2;
}

async function run(): Promise<void> {
  const { values: options, positionals: named } = parseArgs({
    allowPositionals: true,
    options: {
      checkpoint: { type: 'string' },
      verify: { type: 'string' },
      key: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (options.help) return console.log(USAGE);
  const url = process.env['DATABASE_URL'];
  if (!url) throw new Error(`DATABASE_URL must name the database to audit\n\n${USAGE}`);
  if ((options.checkpoint ?? options.verify) !== undefined && options.key === undefined) {
    throw new Error('--checkpoint and --verify need a --key');
  }
  const pem = options.key === undefined ? '' : readFileSync(options.key, 'utf8');
  // Before anything is read: a key or file that will not do is told at once.
  const privateKey = options.checkpoint === undefined ? undefined : createPrivateKey(pem);
  const expected =
    options.verify === undefined
      ? undefined
      : readCheckpoint(readFileSync(options.verify, 'utf8'), createPublicKey(pem));

  const source = createDataSource(url, { poolSize: 2 });
  try {
    await source.initialize();
    const pools = named.length > 0 ? named : (await new PostgresPoolReader(source).pools()).map(({ name }) => name);
    const at = new Date().toISOString();
    const points: ChainPoint[] = [];
    for (const pool of pools) {
      const report = await audited(
        new PostgresAuditSource(source),
        pool,
        expected?.points.find((point) => point.pool === pool),
      );
      if (!report.is_sound) process.exitCode = 1;
      points.push({ pool, seq: report.last_seq, hash: report.last_hash });
    }
    for (const { pool } of expected?.points ?? []) {
      if (pools.includes(pool) || named.length > 0) continue;
      console.log(`${pool}: ✘ the checkpoint has this pool, the database does not`);
      process.exitCode = 1;
    }
    if (privateKey && process.exitCode === undefined) {
      const file = options.checkpoint as string;
      writeFileSync(`${file}.new`, signCheckpoint({ at, points }, privateKey));
      renameSync(`${file}.new`, file);
      console.log(
        `checkpoint of ${points.length} pools in ${file}: keep it where nobody who can write the database can`,
      );
    }
  } finally {
    if (source.isInitialized) await source.destroy();
  }
}

async function audited(source: PostgresAuditSource, pool: string, expected?: ChainPoint): Promise<AuditReport> {
  const started = performance.now();
  const report = await auditPool(
    source,
    pool,
    (events, ofEvents) => progress(`${pool}: ${events} of ${ofEvents} events`, events % 250_000 === 0),
    expected,
  );
  progress('', false);
  const { last_seq, tokens, open_leases, findings, finding_count, is_sound } = report;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = is_sound
    ? `✔ every rule was kept, and the tables are what the events say${expected ? '; the checkpoint is in its chain' : ''}`
    : `✘ ${finding_count} findings`;
  console.log(`${pool}: ${last_seq} events, ${tokens} tokens, ${open_leases} open leases, ${seconds} s: ${verdict}`);
  for (const finding of findings) console.log(`  ${finding}`);
  if (finding_count > findings.length) console.log(`  and ${finding_count - findings.length} more`);
  return report;
}

/** In a terminal on one line that is written over; elsewhere a line of its own for what is a milestone. */
function progress(text: string, isMilestone: boolean): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (isMilestone) process.stderr.write(`${text}\n`);
}
