// Parses the command line into typed values.

import { parseArgs } from 'node:util';
import { parseExactJson } from '../../../libs/client/src/index.js';
import type { Options } from './option.js';
import { UsageError } from './usage-error.js';

/** The options of every command. */
export const COMMON_OPTIONS: Options = {
  pool: { value: 'NAME', help: 'the pool; default: $TOKEN_POOL, or `default`' },
  url: { value: 'URL', help: 'the service; default: $TOKEN_POOL_URL, or http://127.0.0.1:4000' },
  timeout: { value: 'SECONDS', help: 'how long to try, lost connections included; default: 30' },
  json: { help: 'JSON as the API answers it; of lists one object a line' },
  help: { help: 'this' },
};

/** The arguments of one call. Its methods throw UsageError for a value that is not allowed. */
export class Arguments {
  private constructor(
    private readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>,
    private readonly operands: readonly string[],
    /** The arguments after `--`. */
    readonly rest: readonly string[],
  ) {}

  static of(args: readonly string[], options: Options = {}): Arguments {
    const all = Object.entries({ ...options, ...COMMON_OPTIONS });
    const end = args.indexOf('--');
    const own = end === -1 ? args : args.slice(0, end);
    try {
      const { values, positionals } = parseArgs({
        args: [...own],
        options: Object.fromEntries(
          all.map(([name, { value, isRepeatable }]) => [
            name,
            { type: value ? 'string' : 'boolean', multiple: isRepeatable === true },
          ]),
        ),
        allowPositionals: true,
      });
      return new Arguments(values, positionals, end === -1 ? [] : args.slice(end + 1));
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  }

  flag(name: string): boolean {
    return this.values[name] === true;
  }

  text(name: string): string | undefined {
    return this.values[name] as string | undefined;
  }

  /** All values of an option that may be given several times. */
  texts(name: string): readonly string[] {
    return (this.values[name] ?? []) as string[];
  }

  /** The values of such an option by their names: `--env PIN=secret.pin`. What follows the first `=` may be empty. */
  pairs(name: string): ReadonlyMap<string, string> {
    const pairs = new Map<string, string>();
    for (const text of this.texts(name)) {
      const [, key, value] = /^([^=]+)=([^]*)$/.exec(text) ?? [];
      if (key === undefined || value === undefined) {
        throw new UsageError(`--${name} is ${JSON.stringify(text)}; allowed is KEY=VALUE`);
      }
      if (pairs.has(key)) throw new UsageError(`--${name} has ${JSON.stringify(key)} twice`);
      pairs.set(key, value);
    }
    return pairs;
  }

  /** A number of seconds, which may have a fraction. */
  seconds(name: string): number | undefined {
    return this.#number(name, 'a number of seconds', (value) => value >= 0);
  }

  whole(name: string, least: number): number | undefined {
    return this.#number(name, `a whole number from ${least}`, (value) => Number.isSafeInteger(value) && value >= least);
  }

  object(name: string): Record<string, unknown> | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : objectOf(text, `--${name}`);
  }

  /** The only operand. */
  operand(what: string): string {
    const found = this.optionalOperand(what);
    if (found === undefined) throw new UsageError(`${what} is missing`);
    return found;
  }

  optionalOperand(what: string): string | undefined {
    const [first, second] = this.operands;
    if (second !== undefined) throw new UsageError(`${JSON.stringify(second)} is too much beside ${what}`);
    return first;
  }

  noOperand(): void {
    const [first] = this.operands;
    if (first !== undefined)
      throw new UsageError(`${JSON.stringify(first)} is not an option, and nothing else is expected`);
  }

  #number(name: string, what: string, isAllowed: (value: number) => boolean): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? NaN : Number(text);
    if (Number.isFinite(value) && isAllowed(value)) return value;
    throw new UsageError(`--${name} is ${JSON.stringify(text)}; allowed is ${what}`);
  }
}

/**
 * A JSON object. No message repeats the text, because such options are the likeliest to hold a secret.
 * @param isSecret no message repeats a number or a name of the text, either
 * @throws UsageError
 */
export function objectOf(text: string, what: string, isSecret = false): Record<string, unknown> {
  try {
    const value = parseExactJson(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    if (error instanceof RangeError) {
      const reason = isSecret ? 'a name is there twice in one object, or a number is too long' : error.message;
      throw new UsageError(`${what} would not arrive as it is: ${reason}`);
    }
    // The error below covers invalid JSON, too.
  }
  throw new UsageError(`${what} is something else; allowed is a JSON object, such as '{"ticket":"A-1"}'`);
}
