// Things for a listed pool from a file: CSV or JSON. Everything that is wrong is said with its line, so that one look
// at the file mends all of it. The rules are those of the service, which checks them again.

import { parseCsv } from './csv.js';
import { parseExactJson } from './exact-json.js';

export type AttributeValue = string | number | boolean;

/** A thing as `PUT /api/pools/:name/tokens` takes it. Attributes or a secret that are left out stay as they are. */
export interface GivenThing {
  readonly name: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly secret?: Readonly<Record<string, unknown>> | null;
}

export interface FileProblem {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

export interface ThingsFile {
  /** The things without problems, in the order of the file, with their names in NFC. */
  readonly things: readonly GivenThing[];
  /** In the order of the lines. Unless there is none, the things are not the whole file. */
  readonly problems: readonly FileProblem[];
}

export interface ThingsFileOptions {
  /** `typed`: in CSV, attributes such as 14 and true are numbers and booleans. By default every value is text. */
  readonly values?: 'text' | 'typed';
}

interface Row {
  readonly line: number;
  readonly thing: unknown;
}

interface Rows {
  readonly rows: readonly Row[];
  readonly problems: readonly FileProblem[];
}

const MOST_NAME_CHARACTERS = 200;
const MOST_ATTRIBUTES = 32;
/** Of attributes, and of a secret, as JSON. */
const MOST_BYTES = 4096;
const ATTRIBUTE_KEY = /^[a-z][a-z0-9_]{0,39}$/;
const CONTROL_CHARACTER = /\p{Cc}/u;
/** What the database cannot store. */
const NO_TEXT = /[\0\p{Surrogate}]/u;
const NO_JSON = /(^|[^\\])(\\\\)*\\u(0000|d[89a-f])/;
const STRING_OR_POWER = /"[^"\\]*(?:\\.[^"\\]*)*"|(\d)(?:\.(\d+))?e([+-]\d+)/g;
const SECRET = 'secret.';

/**
 * Reads things from JSON (an array of things, or an object with the array as `tokens`) or from CSV. The first line of
 * CSV names its columns: `name`, then attributes; a column `secret.KEY` is a value of the secret. An empty cell stands
 * for no such value.
 */
export function parseThings(text: string, { values = 'text' }: ThingsFileOptions = {}): ThingsFile {
  const content = text.replace(/^\uFEFF/, '');
  const { rows, problems } = /^\s*[[{]/.test(content) ? jsonRows(content) : csvRows(content, values);
  const found = [...problems];
  const things: GivenThing[] = [];
  const seen = new Map<string, { readonly line: number; readonly spelling: string }>();
  for (const { line, thing } of rows) {
    const messages = problemsOf(thing);
    const { name: spelling } = (thing ?? {}) as { name?: unknown };
    if (typeof spelling === 'string' && spelling !== '') {
      const name = spelling.normalize('NFC');
      const first = seen.get(name);
      if (first === undefined) seen.set(name, { line, spelling });
      else messages.push(sameName(spelling, first));
    }
    found.push(...messages.map((message) => ({ line, message })));
    if (messages.length > 0) continue;
    const given = thing as GivenThing;
    things.push({ ...given, name: given.name.normalize('NFC') });
  }
  return { things, problems: found.sort((a, b) => a.line - b.line) };
}

const sameName = (spelling: string, first: { readonly line: number; readonly spelling: string }): string =>
  spelling === first.spelling
    ? `the name ${quoted(spelling)} is already on line ${first.line}`
    : `the name ${quoted(spelling)} is that of line ${first.line}: only the encoding of a character differs (NFC)`;

const MOST_THINGS = 1_000;
/** A little less than the megabyte that a request may have. */
const MOST_REQUEST_BYTES = 990_000;

/** Divides things into lists that one request each can carry. */
export function inRequests<T extends GivenThing>(things: readonly T[]): T[][] {
  const requests: T[][] = [];
  let bytes = Infinity;
  for (const thing of things) {
    const more = bytesOf(thing) + 1;
    const last = requests.at(-1);
    if (last === undefined || last.length === MOST_THINGS || bytes + more > MOST_REQUEST_BYTES) {
      requests.push([thing]);
      bytes = more;
    } else {
      last.push(thing);
      bytes += more;
    }
  }
  return requests;
}

/** What is wrong with a thing, for people. A message never contains a part of a secret. */
function problemsOf(thing: unknown): string[] {
  if (!isObject(thing)) return ['is no object with a name'];
  const { name, attributes, secret, ...others } = thing;
  const messages = Object.keys(others).map((field) => `${quoted(field)} is no field of a thing`);
  const problem = problemOfName(name);
  if (problem !== null) messages.push(problem);
  if (attributes !== undefined) messages.push(...problemsOfAttributes(attributes));
  if (secret === undefined || secret === null) return messages;
  if (!isObject(secret)) messages.push('the secret is no object');
  else if (storedBytesOf(secret) > MOST_BYTES) messages.push(`the secret is longer than ${MOST_BYTES} bytes`);
  else if (NO_JSON.test(JSON.stringify(secret))) messages.push('the secret has a character that cannot be stored');
  return messages;
}

function problemOfName(name: unknown): string | null {
  if (name === undefined || name === '') return 'the name is missing';
  if (typeof name !== 'string') return 'the name is no text';
  if (CONTROL_CHARACTER.test(name)) return `the name ${quoted(name)} has a control character`;
  if (NO_TEXT.test(name)) return `the name ${quoted(name)} has half a character`;
  if ([...name.normalize('NFC')].length <= MOST_NAME_CHARACTERS) return null;
  return `the name ${quoted(name)} is longer than ${MOST_NAME_CHARACTERS} characters`;
}

function problemsOfAttributes(attributes: unknown): string[] {
  if (!isObject(attributes)) return ['the attributes are no object'];
  const messages: string[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (!ATTRIBUTE_KEY.test(key)) messages.push(wrongKey(key));
    else if (!isValue(value)) messages.push(`the attribute ${key} is neither text nor a number nor true or false`);
    else if (typeof value === 'string' && NO_TEXT.test(value)) {
      messages.push(`the attribute ${key} has a character that cannot be stored`);
    }
  }
  const { length } = Object.keys(attributes);
  if (length > MOST_ATTRIBUTES) messages.push(`there are ${length} attributes; a thing has at most ${MOST_ATTRIBUTES}`);
  if (storedBytesOf(attributes) > MOST_BYTES) messages.push(`the attributes are longer than ${MOST_BYTES} bytes`);
  return messages;
}

const wrongKey = (key: string): string =>
  `${quoted(key)} is no name of an attribute: a small letter, then at most 39 small letters, digits and _`;

function csvRows(text: string, values: 'text' | 'typed'): Rows {
  const { rows: lines, problem } = parseCsv(text, separatorOf(text));
  const [header, ...records] = lines.filter(({ cells }) => cells.some((cell) => cell !== ''));
  if (header === undefined) return { rows: [], problems: [problem ?? { line: 1, message: 'there is nothing' }] };
  const columns = header.cells.map((cell) => cell.trim());
  const problems = problemsOfColumns(columns).map((message) => ({ line: header.line, message }));
  if (problem !== null) problems.push(problem);
  const rows: Row[] = [];
  for (const { line, cells } of records) {
    if (cells.length === columns.length) rows.push({ line, thing: thingOf(columns, cells, values) });
    else problems.push({ line, message: `cells in this row: ${cells.length}, columns: ${columns.length}` });
  }
  // Without right columns every row would be wrong, always for the same reason.
  return { rows: problems.some(({ line }) => line === header.line) ? [] : rows, problems };
}

/** Spreadsheets copy cells with tabs between them, and in some countries save CSV with semicolons. */
const separatorOf = (text: string): string => /^(?:"[^"]*"|[^",;\t\r\n])*([;\t])/.exec(text.trimStart())?.[1] ?? ',';

function problemsOfColumns(columns: readonly string[]): string[] {
  const messages: string[] = [];
  if (!columns.includes('name')) messages.push('there is no column "name": the first line must name the columns');
  for (const [index, column] of columns.entries()) {
    if (columns.indexOf(column) !== index) messages.push(`the column ${quoted(column)} is there twice`);
    else if (column === SECRET) messages.push(`the column ${quoted(column)} does not say which value of the secret`);
    else if (column === '') messages.push(`column ${index + 1} has no name`);
    else if (!column.startsWith(SECRET) && !ATTRIBUTE_KEY.test(column)) messages.push(wrongKey(column));
  }
  const { length } = columns.filter(isAttribute);
  if (length > MOST_ATTRIBUTES) messages.push(`there are ${length} attributes; a thing has at most ${MOST_ATTRIBUTES}`);
  return messages;
}

const isAttribute = (column: string): boolean => column !== 'name' && !column.startsWith(SECRET);

function thingOf(columns: readonly string[], cells: readonly string[], values: 'text' | 'typed'): GivenThing {
  const filled = columns.map((column, index) => [column, cells[index]!] as const).filter(([, cell]) => cell !== '');
  const attributes = filled.filter(([column]) => isAttribute(column));
  const secret = filled.filter(([column]) => column.startsWith(SECRET));
  return {
    name: cells[columns.indexOf('name')] ?? '',
    ...(columns.some(isAttribute) && {
      attributes: Object.fromEntries(attributes.map(([key, cell]) => [key, values === 'typed' ? typed(cell) : cell])),
    }),
    ...(secret.length > 0 && {
      secret: Object.fromEntries(secret.map(([column, cell]) => [column.slice(SECRET.length), cell])),
    }),
  };
}

/** 14 is a number; 007, 1.10 and +49 stay text, because a number would not keep their form. */
function typed(cell: string): AttributeValue {
  if (cell === 'true' || cell === 'false') return cell === 'true';
  const value = Number(cell);
  return Number.isFinite(value) && String(value) === cell ? value : cell;
}

function jsonRows(text: string): Rows {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch (error) {
    // The words of the engine may contain a part of a secret.
    return { rows: [], problems: [{ line: lineOfError(error, text), message: 'from here on this is no JSON' }] };
  }
  const list = isObject(whole) && Object.keys(whole).join() === 'tokens' ? whole.tokens : whole;
  const elements = elementsAt(text, list === whole ? 1 : 2);
  if (!Array.isArray(list) || elements.length !== list.length) {
    return { rows: [], problems: [{ line: 1, message: 'must be a list of things, or an object with it as "tokens"' }] };
  }
  const problems: FileProblem[] = [];
  const rows: Row[] = [];
  for (const { line, text: part } of elements) {
    try {
      rows.push({ line, thing: parseExactJson(part) });
    } catch {
      problems.push({ line, message: 'a name is there twice in one object, or JavaScript would change a number' });
    }
  }
  return { rows, problems };
}

/** Browsers name the line, older Nodes the position. */
function lineOfError(error: unknown, text: string): number {
  const { message } = error as SyntaxError;
  const line = /line (\d+)/.exec(message)?.[1];
  const position = /position (\d+)/.exec(message)?.[1];
  if (line !== undefined) return Number(line);
  return text.slice(0, position === undefined ? text.length : Number(position)).split('\n').length;
}

const JSON_TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]|\n|[^\s"[\]{},]+/g;

/** The elements of the list at this depth of valid JSON: their lines and texts. */
function elementsAt(text: string, depthOfList: number): { readonly line: number; readonly text: string }[] {
  const elements: { readonly line: number; readonly text: string }[] = [];
  let [line, depth] = [1, 0];
  let begun: { readonly line: number; readonly at: number } | null = null;
  for (const { 0: token, index } of text.matchAll(JSON_TOKEN)) {
    if (token === '\n') {
      line++;
      continue;
    }
    const isClosing = token === ']' || token === '}';
    if (depth === depthOfList && (isClosing || token === ',')) {
      if (begun !== null) elements.push({ line: begun.line, text: text.slice(begun.at, index) });
      begun = null;
    } else if (depth === depthOfList) begun ??= { line, at: index };
    if (isClosing) depth--;
    else if (token === '[' || token === '{') depth++;
  }
  return elements;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isValue = (value: unknown): value is AttributeValue =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

const encoder = new TextEncoder();
const bytesOf = (value: object): number => encoder.encode(JSON.stringify(value)).length;

/**
 * The bytes of the JSON as the database stores it, which writes out every digit of a number: 1e300 has 301. Infinite
 * for what nests so deep that JSON.stringify fails.
 */
function storedBytesOf(value: object): number {
  try {
    const stored = JSON.stringify(value).replace(
      STRING_OR_POWER,
      (literal: string, digit: string | undefined, fraction: string | undefined, power: string) => {
        if (digit === undefined) return literal;
        const exponent = Number(power);
        return '0'.repeat(exponent > 0 ? exponent + 1 : 2 - exponent + (fraction ?? '').length);
      },
    );
    return encoder.encode(stored).length;
  } catch {
    return Infinity;
  }
}

/** With escapes, so that no control character reaches a terminal. */
const quoted = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
