import fc from 'fast-check';
import { EventStreamParser, type StreamMessage } from './event-stream-parser.js';

const parse = (...pieces: string[]): StreamMessage[] => {
  const parser = new EventStreamParser();
  return pieces.flatMap((piece) => parser.push(piece));
};

test('a message consists of its id and its data, and ends with an empty line', () => {
  expect(parse('id: 7\ndata: {"a":1}\n\n')).toEqual([{ id: '7', data: '{"a":1}' }]);
  expect(parse('id: 7\ndata: {"a":1}\n')).toEqual([]);
});

test('a message without data changes the id, and one without an id keeps it', () => {
  expect(parse('id: 7\n\n', 'data: x\n\n')).toEqual([
    { id: '7', data: null },
    { id: '7', data: 'x' },
  ]);
});

test.each([
  ['data lines are joined', 'data: a\ndata: b\n\n', 'a\nb'],
  ['one space after the colon belongs to the format, a second one to the data', 'data:  a\ndata:b\n\n', ' a\nb'],
  ['colons in the data are data', 'data: {"a":"b:c"}\n\n', '{"a":"b:c"}'],
  ['a field without a colon has an empty value', 'data\n\n', ''],
  ['the parser skips comments and unknown fields', ': heartbeat\nevent: x\nretry: 9\ndata: a\n\n', 'a'],
])('%s', (_, text, data) => {
  expect(parse(text)).toEqual([{ id: '', data }]);
});

test('a heartbeat alone is a message without data', () => {
  expect(parse(': heartbeat\n\n').filter(({ data }) => data !== null)).toEqual([]);
});

test('the messages do not depend on how the text is cut into pieces and how its lines end', () => {
  const text = 'id: 1\ndata: a\n\n: heartbeat\n\nid: 2\n\nid: 3\ndata: b\ndata: c\n\n';
  const whole = parse(text);
  fc.assert(
    fc.property(fc.constantFrom('\n', '\r\n', '\r'), fc.array(fc.nat(80)), (end, cuts) => {
      const sent = `${text.replaceAll('\n', end)}:\n`;
      const places = [0, ...cuts.filter((cut) => cut < sent.length).sort((a, b) => a - b), sent.length];
      expect(parse(...places.map((place, i) => sent.slice(place, places[i + 1])))).toEqual(whole);
    }),
  );
});
