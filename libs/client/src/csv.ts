// Rows of CSV text, strictly by RFC 4180: a quote inside an unquoted cell, or text behind a closing quote, is an error
// and no guess. Lines may end with CRLF, LF or CR.

export interface CsvRow {
  /** The line on which the row begins, from 1. A quoted cell may continue over several lines. */
  readonly line: number;
  readonly cells: readonly string[];
}

export interface Csv {
  readonly rows: readonly CsvRow[];
  /** Where the text is no CSV. The rows end before it, because quotes decide where every later row begins. */
  readonly problem: { readonly line: number; readonly message: string } | null;
}

const LINE_ENDS = /\r\n|\n|\r/g;

/** @param separator what stands between two cells: one character */
export function parseCsv(text: string, separator = ','): Csv {
  const rows: CsvRow[] = [];
  const unquoted = new RegExp(`[^"\\r\\n${separator}]*`, 'y');
  let [at, line] = [0, 1];
  const wrong = (message: string): Csv => ({ rows, problem: { line, message } });

  while (at < text.length) {
    const row = { line, cells: [] as string[] };
    for (;;) {
      if (text[at] === '"') {
        const end = closingQuote(text, at);
        if (end === -1) return wrong('a quoted cell begins here, and its closing quote is missing');
        const quoted = text.slice(at + 1, end);
        row.cells.push(quoted.replaceAll('""', '"'));
        line += quoted.match(LINE_ENDS)?.length ?? 0;
        at = end + 1;
        if (!isEndOfCell(text[at], separator)) return wrong('there is text behind a closing quote');
      } else {
        unquoted.lastIndex = at;
        const [cell] = unquoted.exec(text)!;
        row.cells.push(cell);
        at += cell.length;
        if (text[at] === '"')
          return wrong('a quote is inside a cell that does not begin with one: double it and quote the cell');
      }
      if (text[at] !== separator) break;
      at++;
    }
    rows.push(row);
    at += text[at] === '\r' && text[at + 1] === '\n' ? 2 : 1;
    line++;
  }
  return { rows, problem: null };
}

/** @returns the index of the quote that ends the cell; -1 if there is none. Two quotes stand for one in the cell. */
function closingQuote(text: string, opening: number): number {
  let end = text.indexOf('"', opening + 1);
  while (end !== -1 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
  return end;
}

const isEndOfCell = (next: string | undefined, separator: string): boolean =>
  next === undefined || next === separator || next === '\r' || next === '\n';
