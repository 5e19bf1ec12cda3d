// Runs the command of a command line, and returns the exit code.

import { TokenPoolClient } from '../../../libs/client/src/index.js';
import { Arguments } from './arguments.js';
import type { Command } from './command.js';
import { COMMANDS } from './commands.js';
import { EXIT } from './exit-code.js';
import { printFailure } from './failure.js';
import { help, helpOf } from './help.js';
import { Output } from './output.js';
import { UsageError, withoutSecrets } from './usage-error.js';

const DEFAULT_URL = 'http://127.0.0.1:4000';

export async function runCli(args: readonly string[], version: string): Promise<number> {
  const [name] = args;
  if (name === '--version') return print(version);
  if (name === '--help' || (name === 'help' && args.length === 1)) return print(help());
  if (name === undefined) {
    console.error(help());
    return EXIT.usage;
  }
  const words = name === 'help' ? args.slice(1) : args;
  // The name of a command has one word or two.
  const [asked, both] = [words[0], words.slice(0, 2).join(' ')];
  const command = COMMANDS.find((one) => one.name === asked || one.name === both);
  if (!command) return wrong(withoutSecrets(`${JSON.stringify(asked)} is not a command`), 'tokenpool --help');
  if (name === 'help') return print(helpOf(command));
  return runCommand(command, words.slice(command.name.split(' ').length));
}

async function runCommand(command: Command, args: readonly string[]): Promise<number> {
  // Errors in the other options are JSON, too, so this looks for the option before the parser does.
  const isJson = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined).includes('--json');
  try {
    const given = Arguments.of(args, command.options);
    if (given.flag('help')) return print(helpOf(command));
    const takesCommand = command.operands?.startsWith('--') === true;
    if (!takesCommand && given.rest.length > 0) throw new UsageError('-- is for run and clean only');
    const seconds = given.seconds('timeout');
    const client = clientOf(given, seconds === undefined ? undefined : seconds * 1000);
    const pool = client.pool(given.text('pool') ?? (process.env['TOKEN_POOL'] || undefined));
    return (await command.run({ client, pool, given, output: new Output(process.stdout, isJson) })) ?? EXIT.done;
  } catch (error) {
    const code = printFailure(error, isJson);
    if (error instanceof UsageError && !isJson) console.error(`tokenpool ${command.name} --help says what it takes`);
    return command.failureCode ?? code;
  }
}

/** @throws UsageError for a wrong URL or key; the message repeats neither, because both may hold a secret */
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

function print(text: string): number {
  console.log(text);
  return EXIT.done;
}

function wrong(message: string, see: string): number {
  console.error(`tokenpool: ${message}; ${see} says what there is`);
  return EXIT.usage;
}
