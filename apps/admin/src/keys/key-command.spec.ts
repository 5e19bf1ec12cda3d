import { readCommand } from './key-command.js';
import { UsageError } from '../usage-error.js';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const ID = '0A1b2C3d4E5f';

const read = (line: string) => readCommand(line.split(' ').filter(Boolean), NOW);

test('create takes the name, scopes, pools and end of a key', () => {
  expect(read('create --name kiosk-7 --scopes use,read --pools seats,desks --expires 90d --json')).toEqual({
    command: {
      name: 'create',
      request: {
        name: 'kiosk-7',
        scopes: ['use', 'read'],
        pools: ['seats', 'desks'],
        expires_at: '2027-02-19T12:00:00.000Z',
      },
    },
    isJson: true,
  });
});

test('without --pools and --expires a key is for all pools and has no end', () => {
  const { command } = read('create --name admin --scopes all');
  expect(command).toMatchObject({
    request: { scopes: ['read', 'use', 'operate', 'pools', 'keys', 'metrics'], pools: null, expires_at: null },
  });
});

test.each([
  ['30m', '2026-11-21T12:30:00.000Z'],
  ['12h', '2026-11-22T00:00:00.000Z'],
  ['2027-01-01T00:00:00+01:00', '2026-12-31T23:00:00.000Z'],
  ['2028-02-29T12:00Z', '2028-02-29T12:00:00.000Z'],
])('--expires %s is %s', (text, expires_at) => {
  const { command } = read(`create --name a --scopes read --expires ${text}`);
  expect(command).toMatchObject({ request: { expires_at } });
});

test.each([
  [`rotate ${ID}`, { name: 'rotate', id: ID, oldForSeconds: 86_400 }],
  [`rotate ${ID} --old-for 0`, { name: 'rotate', id: ID, oldForSeconds: 0 }],
  [`revoke ${ID}`, { name: 'revoke', id: ID }],
  ['list', { name: 'list' }],
  ['--help', { name: 'help' }],
  ['revoke --help', { name: 'help' }],
])('%s is understood', (line, command) => expect(read(line).command).toEqual(command));

test.each([
  ['', 'a command is missing'],
  ['crate', '"crate" is not a command'],
  ['toString', '"toString" is not a command'],
  ['create --scopes read', '--name is missing'],
  ['create --name a', '--scopes is missing'],
  ['create --name a --scopes reed', '"reed"'],
  ['create --name a --scopes read --expires tomorrow', '--expires is "tomorrow"'],
  ['create --name a --scopes read --expires 2027-01-01', '--expires is "2027-01-01"'],
  ...['2027-02-30', '2027-02-29', '2027-04-31', '2027-13-01', '2027-00-10', '2027-01-00', '2027-01-32'].map((date) => [
    `create --name a --scopes read --expires ${date}T00:00:00Z`,
    `--expires is "${date}T00:00:00Z"`,
  ]),
  ['create --name a --scopes read --expires 2027-01-01T24:00:00Z', '--expires is'],
  ['create --name a --scopes read --expires 2027-01-01T00:60:00Z', '--expires is'],
  ['create --name a --scopes read --expires 2027-01-01T00:00:00+25:00', '--expires is'],
  ['create --name a --scopes read --old-for 1', '--old-for is not for create'],
  ['create b --name a --scopes read', '"b" is too much'],
  ['list --pools a', '--pools is not for list'],
  ['revoke', 'the id of a key must be given'],
  [`revoke ${ID} ${ID}`, 'is too much'],
  [`rotate ${ID} --old-for 2592001`, '--old-for is "2592001"'],
  ['list --loud', '--loud'],
])('%j is refused with what is wrong', (line, words) => {
  expect(() => read(line)).toThrow(UsageError);
  expect(() => read(line)).toThrow(words);
});

test('an error does not quote a key that stands in the place of another argument', () => {
  const key = `tp_${ID}_${'x'.repeat(43)}_000000`;
  const create = 'create --name a --scopes';
  const lines = [`revoke ${key}`, `list ${key}`, key, `list --${key}`, `list postgres://u:xxx@h/d`];
  const values = [`${create} ${key}`, `${create} read --expires ${key}`, `rotate ${ID} --old-for ${key}`];
  for (const line of [...lines, ...values]) {
    expect(() => read(line)).toThrow(UsageError);
    expect(() => read(line)).not.toThrow(/xxx/);
  }
});
