// The help of the program and of each command.

import { COMMON_OPTIONS } from './arguments.js';
import type { Command } from './command.js';
import { COMMANDS } from './commands.js';
import { EXIT } from './exit-code.js';
import type { Options } from './option.js';

export function help(): string {
  return `tokenpool: the token pool service on the command line

Usage: tokenpool COMMAND [OPTION…]

Commands (tokenpool COMMAND --help says more):
${aligned(COMMANDS.map(({ name, operands = '', summary }) => [`${name} ${operands}`, summary]))}

Options of all commands:
${optionLines(COMMON_OPTIONS)}

Where the service wants an API key: $TOKEN_POOL_KEY. There is no option for it, since others can see command lines.

Exit codes: ${EXIT.done} done; ${EXIT.refused} the service refused; ${EXIT.usage} the command line is wrong; ${EXIT.noAnswer} no answer in time.
Those of run: tokenpool run --help.

Examples:
${exampleLines(['allocate', 'list --status active', 'watch', 'run -- ./nightly-import.sh'])}`;
}

export function helpOf({ name, operands = '', summary, options = {}, notes, examples }: Command): string {
  const own = Object.keys(options).length > 0 ? `Options:\n${optionLines(options)}\n\n` : '';
  return `tokenpool ${name}: ${summary}

Usage: tokenpool ${name}${name === 'run' ? ' [OPTION…]' : ''}${operands && ` ${operands}`}${name === 'run' ? '' : ' [OPTION…]'}
${notes ? `\n${notes}\n` : ''}
${own}Options of all commands:
${optionLines(COMMON_OPTIONS)}

Examples:
${exampleLines(examples)}`;
}

const optionLines = (options: Options): string =>
  aligned(Object.entries(options).map(([name, { value, help }]) => [`--${name}${value ? ` ${value}` : ''}`, help]));

const exampleLines = (examples: readonly string[]): string =>
  examples.map((example) => `  tokenpool ${example}`).join('\n');

function aligned(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([left]) => left.trim().length));
  return lines.map(([left, right]) => `  ${left.trim().padEnd(width)}  ${right}`).join('\n');
}
