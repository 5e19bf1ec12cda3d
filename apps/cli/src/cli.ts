// From the command line to an exit code.

import { TokenPoolClient } from '../../../libs/client/src/index.js';
import { Arguments } from './arguments.js';
import type { Command } from './command.js';
import { COMMANDS } from './commands.js';
import { EXIT } from './exit-code.js';
import { tell } from './failure.js';
import { help, helpOf } from './help.js';
import { Output } from './output.js';
import { UsageError, withoutSecrets } from './usage-error.js';

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
  if (!command) return wrong(withoutSecrets(`${JSON.stringify(asked)} is not a command`), 'tokenpool --help');
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
    const client = clientOf(given, seconds === undefined ? undefined : seconds * 1000);
    const pool = client.pool(given.text('pool') ?? (process.env['TOKEN_POOL'] || undefined));
    return (await command.run({ client, pool, given, output: new Output(process.stdout, isJson) })) ?? EXIT.done;
  } catch (error) {
    const code = tell(error, isJson);
    if (error instanceof UsageError && !isJson) console.error(`tokenpool ${command.name} --help says what it takes`);
    return command.failureCode ?? code;
  }
}

/** What is wrong with the URL or the key is said without either: both may hold a secret. */
function clientOf(given: Arguments, timeoutMs: number | undefined): TokenPoolClient {
  const { TOKEN_POOL_URL, TOKEN_POOL_KEY } = process.env;
  const url = given.text('url');
  try {
    return new TokenPoolClient(url ?? (TOKEN_POOL_URL || DEFAULT_URL), { key: TOKEN_POOL_KEY || undefined, timeoutMs });
  } catch (error) {
    const where = url === undefined ? '$TOKEN_POOL_URL' : '--url';
    throw new UsageError(`${(error as Error).message} (${where}, $TOKEN_POOL_KEY)`);
  }
}

function said(text: string): number {
  console.log(text);
  return EXIT.done;
}

function wrong(message: string, see: string): number {
  console.error(`tokenpool: ${message}; ${see} says what there is`);
  return EXIT.usage;
}
