#!/usr/bin/env node
// The program `tokenpool`.

import { readFileSync } from 'node:fs';
import { runCli } from './cli.js';

// A reader that closes the pipe (`tokenpool events | head`) ends the program without an error.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));

// The path is relative to the compiled file.
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
process.exitCode = await runCli(process.argv.slice(2), version);
