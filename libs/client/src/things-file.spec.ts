import { inRequests, parseThings } from './things-file.js';

const problemsOf = (text: string): string[] =>
  parseThings(text).problems.map(({ line, message }) => `${line}: ${message}`);

describe('CSV', () => {
  test('has a column of names, and every other column is an attribute or a value of the secret', () => {
    const text = '\uFEFFname,country,secret.pin,os\r\n"+49 30 1",de,0042,14\r\n+49 30 2,"a ""b"", c",,\r\n';
    expect(parseThings(text)).toEqual({
      things: [
        { name: '+49 30 1', attributes: { country: 'de', os: '14' }, secret: { pin: '0042' } },
        { name: '+49 30 2', attributes: { country: 'a "b", c' } },
      ],
      problems: [],
    });
  });

  test('without columns of attributes the attributes stay as they are', () => {
    expect(parseThings('name\na\n\nb').things).toEqual([{ name: 'a' }, { name: 'b' }]);
  });

  test('values are text, unless numbers and booleans are asked for', () => {
    const text = 'name,a,b,c,d,e,f,secret.pin\nx,14,-1.5,007,1.10,true,+49,12';
    expect(parseThings(text).things[0]!.attributes).toMatchObject({ a: '14', e: 'true' });
    expect(parseThings(text, { values: 'typed' }).things).toEqual([
      { name: 'x', attributes: { a: 14, b: -1.5, c: '007', d: '1.10', e: true, f: '+49' }, secret: { pin: '12' } },
    ]);
  });

  test('cells that a spreadsheet separates by semicolons or tabs are read', () => {
    const things = [{ name: 'x', attributes: { note: 'a, b' } }];
    expect(parseThings('name;note\nx;a, b').things).toEqual(things);
    expect(parseThings('name\tnote\nx\ta, b').things).toEqual(things);
  });

  test('everything that is wrong is said at once, with its line', () => {
    const text = ['name,os', 'a,1', 'b', ',2', 'a,3', 'c\u0007,4', 'a,5', `${'n'.repeat(201)},6`].join('\n');
    expect(problemsOf(text)).toEqual([
      '3: cells in this row: 1, columns: 2',
      '4: the name is missing',
      '5: the name "a" is already on line 2',
      '6: the name "c\\u0007" has a control character',
      '7: the name "a" is already on line 2',
      `8: the name "${'n'.repeat(60)}…" is longer than 200 characters`,
    ]);
  });

  test.each([
    ['', '1: there is nothing'],
    ['a,b\n1,2', '1: there is no column "name": the first line must name the columns'],
    ['name,os,os\na,1,2', '1: the column "os" is there twice'],
    ['name,secret.\na,1', '1: the column "secret." does not say which value of the secret'],
    ['name,,os\na,1,2', '1: column 2 has no name'],
    ['name,OS\na,1', '1: "OS" is no name of an attribute: a small letter, then at most 39 small letters, digits and _'],
    [
      `name,${Array.from({ length: 33 }, (_, i) => `a${i}`).join()}`,
      '1: there are 33 attributes; a thing has at most 32',
    ],
    ['name\na\n"b', '3: a quoted cell begins here, and its closing quote is missing'],
    [`name,a\nx,${'y'.repeat(4096)}`, '2: the attributes are longer than 4096 bytes'],
    [`name,secret.a\nx,${'y'.repeat(4096)}`, '2: the secret is longer than 4096 bytes'],
  ])('a file that begins with %.30j is refused', (text, problem) => expect(problemsOf(text)).toEqual([problem]));
});

test('names that only the encoding of a character tells apart are the same name', () => {
  expect(problemsOf('name\nJose\u0301\nx\nJosé')).toEqual([
    '4: the name "José" is that of line 2: only the encoding of a character differs (NFC)',
  ]);
  expect(parseThings('name\nJose\u0301').things).toEqual([{ name: 'José' }]);
});

describe('JSON', () => {
  const things = [
    { name: 'a', attributes: { os: 14, is_new: true, note: '[{,' }, secret: { pin: [1], 'a"': {} } },
    { name: 'b', secret: null },
    { name: 'c' },
  ];

  test.each([JSON.stringify(things), JSON.stringify({ tokens: things }, null, 2), '[]'])('reads %.20j', (text) => {
    expect(parseThings(text)).toEqual({ things: text === '[]' ? [] : things, problems: [] });
  });

  test('everything that is wrong is said at once, with its line', () => {
    const text = `[
      {"name": "a", "attributes": {"os": [1], "A": 1, "b": null}},
      {"name": "a",
       "secret": "hidden"},
      7, {"attributes": {}}, {"name": 7},
      {"name": "d", "extra": 1},
      {"name": "e", "attributes": {"n": 12345678901234567890}}, {"name": "f", "name": "g"},
      {"name": "h\\ud800", "attributes": []}
    ]`;
    expect(problemsOf(text)).toEqual([
      '2: the attribute os is neither text nor a number nor true or false',
      '2: "A" is no name of an attribute: a small letter, then at most 39 small letters, digits and _',
      '2: the attribute b is neither text nor a number nor true or false',
      '3: the secret is no object',
      '3: the name "a" is already on line 2',
      '5: is no object with a name',
      '5: the name is missing',
      '5: the name is no text',
      '6: "extra" is no field of a thing',
      '7: a name is there twice in one object, or JavaScript would change a number',
      '7: a name is there twice in one object, or JavaScript would change a number',
      '8: the name "h\\ud800" has half a character',
      '8: the attributes are no object',
    ]);
  });

  test('text that is no JSON is said with its line, and without a part of a secret', () => {
    expect(problemsOf('[\n{"name": "a", "secret": {"pin": "0042"}},\n{"name" "b"}]')).toEqual([
      '3: from here on this is no JSON',
    ]);
    expect(problemsOf('[\n{"name": "a"}\n')).toEqual(['3: from here on this is no JSON']);
  });

  test.each(['{"name": "a"}', '{"tokens": {}}', '{"tokens": [], "missing": "keep"}'])('%s is no list', (text) => {
    expect(problemsOf(text)).toEqual(['1: must be a list of things, or an object with it as "tokens"']);
  });
});

test('requests carry at most a thousand things and a megabyte', () => {
  const many = Array.from({ length: 2001 }, (_, i) => ({ name: `n${i}` }));
  expect(inRequests(many).map(({ length }) => length)).toEqual([1000, 1000, 1]);
  const large = Array.from({ length: 600 }, (_, i) => ({ name: `n${i}`, attributes: { a: 'ü'.repeat(2000) } }));
  const requests = inRequests(large);
  expect(requests.flat()).toEqual(large);
  for (const tokens of requests) {
    expect(Buffer.byteLength(JSON.stringify({ tokens, missing: 'delete_when_free' }))).toBeLessThanOrEqual(1_000_000);
  }
  expect(inRequests([])).toEqual([]);
});
