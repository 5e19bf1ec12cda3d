// A page in docs/: people write its introduction; below a mark follow the results, generated from the result.json in
// the folder of its name. Prettier formats all of it.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as prettier from 'prettier';

export class KeptPage<Result extends object> {
  readonly #page: string;
  readonly #folder: string;
  readonly #result: string;
  readonly #mark: string;

  /** @param command the command that writes the part below the mark */
  constructor(
    private readonly name: string,
    command: string,
  ) {
    this.#page = `docs/${name}.md`;
    this.#folder = `docs/${name}`;
    this.#result = join(this.#folder, 'result.json');
    this.#mark = `<!-- Below this line everything is written by \`${command}\`. -->`;
  }

  /** @returns the stored results; empty without any */
  result(): Result | Record<string, never> {
    return existsSync(this.#result) ? (JSON.parse(readFileSync(this.#result, 'utf8')) as Result) : {};
  }

  /** Stores a picture. @returns its Markdown */
  picture(file: string, svg: string, alt: string): string {
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(join(this.#folder, file), svg);
    return `![${alt}](${this.name}/${file})`;
  }

  /** @param parts the parts below the mark, as Markdown */
  async write(result: Result, parts: readonly string[]): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    await writeFormatted(this.#result, JSON.stringify(result, rounded), 'json');
    await writeFormatted(this.#page, [this.#introduction() + this.#mark, ...parts].join('\n\n'), 'markdown');
  }

  #introduction(): string {
    if (existsSync(this.#page)) return readFileSync(this.#page, 'utf8').split(this.#mark)[0] as string;
    return `# ${this.name.replace(/^./, (first) => first.toUpperCase())}\n\n`;
  }
}

async function writeFormatted(file: string, text: string, parser: 'json' | 'markdown'): Promise<void> {
  const config = await prettier.resolveConfig(file);
  writeFileSync(file, await prettier.format(text, { ...config, parser }));
}

/** For JSON.stringify: rounds numbers, since more digits only make diffs longer. */
const rounded = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
