// The operator's commands on the database of the service: npm run -s admin -- --help
// An error is one line on stderr. Exit codes: 0 success, 1 findings or a failure, 2 a wrong command line.

import { withoutSecrets } from '@app/keys';
import { afterRestore } from './after-restore.js';
import { audit } from './audit.js';
import type { Command } from './command.js';
import { exportEvents } from './export.js';
import { keys } from './keys/keys.js';
import { migrate } from './migrate.js';
import { secrets } from './secrets.js';
import { UsageError } from './usage-error.js';

const COMMANDS: Readonly<Record<string, Command>> = {
  keys,
  audit,
  export: exportEvents,
  migrate,
  'after-restore': afterRestore,
  secrets,
};

const HELP = `Usage: npm run -s admin -- COMMAND [OPTION…]
       node dist/admin/main.js COMMAND [OPTION…], in the image

Commands:
${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(14)} ${summary}`)
  .join('\n')}

COMMAND --help has the options of each.

Exit codes: 0 all is well; 1 findings, or it failed; 2 the command line is wrong.`;

const [name = '', ...args] = process.argv.slice(2);
try {
  process.exitCode = await run();
} catch (error) {
  process.exitCode = error instanceof UsageError ? 2 : 1;
  console.error(`${Object.hasOwn(COMMANDS, name) ? name : 'admin'}: ${withoutSecrets(oneLine(error))}`);
}

async function run(): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined && !['--help', 'help'].includes(name)) {
    const known = Object.keys(COMMANDS).join(', ');
    throw new UsageError(name === '' ? `a command is missing: ${known}` : `"${name}" is not a command: ${known}`);
  }
  if (command !== undefined && !args.includes('--help')) return command.run(args);
  console.log(command?.help ?? HELP);
  return 0;
}

function oneLine(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  const words = (message || String(code)).replaceAll(/\s*\n\s*/g, ' ');
  return error instanceof UsageError ? `${words}; --help says what there is` : words;
}
