// Files that are kept in the repository are written as prettier would leave them.

import { writeFileSync } from 'node:fs';
import * as prettier from 'prettier';

export async function writeFormatted(file: string, text: string, parser: 'json' | 'markdown'): Promise<void> {
  const config = await prettier.resolveConfig(file);
  writeFileSync(file, await prettier.format(text, { ...config, parser }));
}

/** For JSON.stringify: nobody needs the tenth digit, and a diff of it even less. */
export const rounded = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
