// The auditor: reads all pools of a database, or the named ones, and reports every violation.

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { auditPool, readCheckpoint, signCheckpoint, type AuditReport, type ChainPoint } from '@app/tokens';
import { createDataSource, PostgresAuditSource, PostgresPoolReader } from '@app/postgres';
import { readArguments, type Command } from './command.js';
import { databaseUrl } from './environment.js';
import { printFindings } from './print-findings.js';
import { progress } from './progress.js';
import { UsageError } from './usage-error.js';

const HELP = `Usage: DATABASE_URL=postgres://… npm run -s admin -- audit [POOL…] [--checkpoint FILE | --verify FILE] [--key PEM]

  --checkpoint  when all is sound, writes what the chains of hashes are now, signed with the private key
  --verify      checks that the chains contain a checkpoint, whose signature is checked with the public key
  --key         an Ed25519 key: openssl genpkey -algorithm ed25519 -out private.pem
                                openssl pkey -in private.pem -pubout -out public.pem`;

export const audit: Command = {
  summary: 'reads every pool, checks every rule, compares with the tables',
  help: HELP,
  async run(args) {
    const { values: options, positionals: named } = readArguments(args, {
      checkpoint: { type: 'string' },
      verify: { type: 'string' },
      key: { type: 'string' },
    });
    const url = databaseUrl('DATABASE_URL');
    if (url === undefined) throw new UsageError('DATABASE_URL must name the database to audit');
    if ((options.checkpoint ?? options.verify) !== undefined && options.key === undefined) {
      throw new UsageError('--checkpoint and --verify need a --key');
    }
    const pem = options.key === undefined ? '' : readFileSync(options.key, 'utf8');
    // Checks keys and files before it reads the database, so that a mistake shows at once.
    const privateKey = options.checkpoint === undefined ? undefined : createPrivateKey(pem);
    const expected =
      options.verify === undefined
        ? undefined
        : readCheckpoint(readFileSync(options.verify, 'utf8'), createPublicKey(pem));

    const source = await createDataSource(url, { poolSize: 2 }).initialize();
    try {
      const pools = named.length > 0 ? named : await new PostgresPoolReader(source).names();
      const at = new Date().toISOString();
      const points: ChainPoint[] = [];
      let isSound = true;
      for (const pool of pools) {
        const report = await audited(
          new PostgresAuditSource(source),
          pool,
          expected?.points.find((point) => point.pool === pool),
        );
        isSound &&= report.is_sound;
        points.push({ pool, seq: report.last_seq, hash: report.last_hash });
      }
      for (const { pool } of expected?.points ?? []) {
        if (pools.includes(pool) || named.length > 0) continue;
        console.log(`${pool}: ✘ the checkpoint has this pool, the database does not`);
        isSound = false;
      }
      if (privateKey && isSound)
        writeCheckpoint(options.checkpoint as string, signCheckpoint({ at, points }, privateKey));
      return isSound ? 0 : 1;
    } finally {
      await source.destroy();
    }
  },
};

/** Writes the file whole or not at all. */
function writeCheckpoint(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
  console.log(`checkpoint in ${file}: keep it where nobody who can write the database can`);
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
  printFindings(findings, finding_count);
  return report;
}
