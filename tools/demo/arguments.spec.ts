import { serviceUrl } from './arguments.js';

test('the demo asks the service that it is told, and otherwise that of the environment', () => {
  expect(serviceUrl([], {})).toBe('http://127.0.0.1:4000');
  expect(serviceUrl([], { PORT: '4100' })).toBe('http://127.0.0.1:4100');
  expect(serviceUrl([], { PORT: '4100', TOKEN_POOL_URL: 'https://pool.example' })).toBe('https://pool.example');
  expect(serviceUrl(['http://localhost:1'], { TOKEN_POOL_URL: 'https://pool.example' })).toBe('http://localhost:1');
});

test('--help asks nobody', () => expect(serviceUrl(['--help'], {})).toBeNull());

test.each([['--hepl'], ['localhost:4000'], ['http://me:secret@'], ['http://a', 'http://b']])(
  '%j is refused, and not repeated',
  (...args) => {
    expect(() => serviceUrl(args, {})).toThrow();
    expect(() => serviceUrl(args, {})).not.toThrow('secret');
  },
);
