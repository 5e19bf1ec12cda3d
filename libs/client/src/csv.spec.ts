import fc from 'fast-check';
import { parseCsv } from './csv.js';

const cellsOf = (text: string, separator?: string) => parseCsv(text, separator).rows.map(({ cells }) => cells);

test.each([
  [
    'a,b\r\nc,d\r\n',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  [
    'a,b\nc,d',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ],
  ['a\rb', [['a'], ['b']]],
  ['', []],
  [',\n', [['', '']]],
  [
    '"a, ""b""",""\n"c\r\nd",e',
    [
      ['a, "b"', ''],
      ['c\r\nd', 'e'],
    ],
  ],
  ['""""', [['"']]],
])('reads %j', (text, cells) => expect(cellsOf(text)).toEqual(cells));

test('cells may be separated by another character', () => {
  expect(cellsOf('a;b,c\n1;"2;3"', ';')).toEqual([
    ['a', 'b,c'],
    ['1', '2;3'],
  ]);
  expect(cellsOf('a\tb', '\t')).toEqual([['a', 'b']]);
});

test('a row knows its line, also behind cells with several lines', () => {
  expect(parseCsv('a\n"b\r\n\nc"\nd\n').rows.map(({ line }) => line)).toEqual([1, 2, 5]);
});

test.each([
  ['a\n"b\nc', 2, 'a quoted cell begins here, and its closing quote is missing'],
  ['a\n"b"c\n', 2, 'there is text behind a closing quote'],
  ['a\nb"c"', 2, 'a quote is inside a cell that does not begin with one: double it and quote the cell'],
])('what is no CSV is said with its line: %j', (text, line, message) => {
  expect(parseCsv(text)).toEqual({ rows: [{ line: 1, cells: ['a'] }], problem: { line, message } });
});

test('whatever is written by the rules is read as it was', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\r', '\n', ' ', 'ü') });
  const written = (rows: string[][]): string =>
    rows.map((cells) => cells.map((each) => `"${each.replaceAll('"', '""')}"`).join(',')).join('\r\n');
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 1 })), (rows) => {
      expect(parseCsv(written(rows))).toMatchObject({ problem: null });
      expect(cellsOf(written(rows))).toEqual(rows);
    }),
  );
});
