// Prints tables and lines for people, and JSON for programs.

import { once } from 'node:events';
import type { Writable } from 'node:stream';

export type Cell = string | number | null | undefined;

export interface Column<Item> {
  readonly title: string;
  /** The least width, in characters. It aligns columns whose rows arrive one by one. */
  readonly width?: number;
  readonly of: (item: Item) => Cell;
}

export class Output {
  constructor(
    private readonly out: Writable,
    private readonly isJson: boolean,
  ) {}

  /** Prints one object as lines of names and values. */
  async one(thing: object, fields: Readonly<Record<string, Cell>>): Promise<void> {
    if (this.isJson) return this.#write([JSON.stringify(thing)]);
    const width = Math.max(...Object.keys(fields).map((name) => name.length));
    await this.#write(Object.entries(fields).map(([name, value]) => `${name.padEnd(width)}  ${cellText(value)}`));
  }

  /** Prints a sentence about what was done, or the service's answer as JSON. */
  async message(answer: object, text: string): Promise<void> {
    await this.#write([this.isJson ? JSON.stringify(answer) : text]);
  }

  /** Starts a table. Each call of the returned function prints more rows. */
  table<Item extends object>(columns: readonly Column<Item>[]): (items: readonly Item[]) => Promise<void> {
    const widths = columns.map(({ title, width = 0 }) => Math.max(title.length, width));
    let hasHead = false;
    return async (items) => {
      if (this.isJson) return this.#write(items.map((item) => JSON.stringify(item)));
      const rows = items.map((item) => columns.map(({ of }) => cellText(of(item))));
      for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
      if (!hasHead) rows.unshift(columns.map(({ title }) => title.toUpperCase()));
      hasHead = true;
      await this.#write(
        rows.map((row) =>
          row
            .map((cell, i) => cell.padEnd(widths[i] ?? 0))
            .join('  ')
            .trimEnd(),
        ),
      );
    };
  }

  /** Writes lines, and waits if the reader is slower. */
  async #write(lines: readonly string[]): Promise<void> {
    if (lines.length > 0 && !this.out.write(`${lines.join('\n')}\n`)) await once(this.out, 'drain');
  }
}

const cellText = (cell: Cell): string => (cell === null || cell === undefined ? '-' : String(cell));

/** A time of the service, cut to milliseconds. */
export const time = (at: string | null): string | null => at && at.replace(/(\.\d{3})\d*Z$/, '$1Z');
