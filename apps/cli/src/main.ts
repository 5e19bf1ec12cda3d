#!/usr/bin/env node
// The program `tokenpool`.

import { readFileSync } from 'node:fs';
import { runCli } from './cli.js';

// Who reads no further (`tokenpool events | head`) has had enough.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));

// From where it is compiled to.
const { version } = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
process.exitCode = await runCli(process.argv.slice(2), version);
