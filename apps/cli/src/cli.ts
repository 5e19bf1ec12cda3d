// From the command line to an exit code.

import { TokenPoolClient } from '../../../libs/client/src/index.js';
import { Arguments } from './arguments.js';
import type { Command } from './command.js';
import { COMMANDS } from './commands.js';
import { EXIT } from './exit-code.js';
import { tell } from './failure.js';
import { help, helpOf } from './help.js';
import { Output } from './output.js';
import { UsageError } from './usage-error.js';

const DEFAULT_URL = 'http://127.0.0.1:4000';

export async function runCli(args: readonly string[], version: string): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version') return said(version);
  if (name === '--help' || (name === 'help' && rest.length === 0)) return said(help());
  if (name === undefined) {
    console.error(help());
    return EXIT.usage;
  }
  const asked = name === 'help' ? rest[0] : name;
  const command = COMMANDS.find((one) => one.name === asked);
  if (!command) return wrong(`${JSON.stringify(asked)} is not a command`, 'tokenpool --help');
  if (name === 'help') return said(helpOf(command));
  return done(command, rest);
}

async function done(command: Command, args: readonly string[]): Promise<number> {
  // Also of what is wrong with the other options.
  const isJson = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined).includes('--json');
  try {
    const given = Arguments.of(args, command.options);
    if (given.flag('help')) return said(helpOf(command));
    if (command.name !== 'run' && given.rest.length > 0) throw new UsageError('-- is for run only');
    const seconds = given.seconds('timeout');
    const client = new TokenPoolClient(urlOf(given), {
      key: process.env['TOKEN_POOL_KEY'] || undefined,
      timeoutMs: seconds === undefined ? undefined : seconds * 1000,
    });
    const pool = client.pool(given.text('pool') ?? (process.env['TOKEN_POOL'] || undefined));
    return (await command.run({ client, pool, given, output: new Output(process.stdout, isJson) })) ?? EXIT.done;
  } catch (error) {
    const code = tell(error, isJson);
    if (error instanceof UsageError && !isJson) console.error(`tokenpool ${command.name} --help says what it takes`);
    return command.failureCode ?? code;
  }
}

function urlOf(given: Arguments): string {
  const url = given.text('url') ?? (process.env['TOKEN_POOL_URL'] || DEFAULT_URL);
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new UsageError(`the URL is ${JSON.stringify(url)}; allowed is one such as ${DEFAULT_URL}`);
}

function said(text: string): number {
  console.log(text);
  return EXIT.done;
}

function wrong(message: string, see: string): number {
  console.error(`tokenpool: ${message}; ${see} says what there is`);
  return EXIT.usage;
}
