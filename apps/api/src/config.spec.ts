import { ConfigError, readConfig } from './config.js';

const KEY = Buffer.alloc(32).toString('base64');

test('without any variable the configuration is that of the contract', () => {
  expect(readConfig({})).toEqual({
    port: 4000,
    host: '127.0.0.1',
    auth: 'open',
    rateLimit: 0,
    corsOrigins: [],
    trustProxy: 0,
    hstsSeconds: 0,
    allowedHosts: [],
    keepAliveTimeoutMs: 65_000,
    databaseUrl: undefined,
    migrationDatabaseUrl: undefined,
    secretsKeys: [],
    databasePoolSize: 10,
    databasePooler: 'none',
    poolSize: 100,
    growPoolTo: undefined,
    tokenTtlSeconds: 120,
    elasticPoolSize: 10,
    elasticTtlSeconds: 60,
    elasticIdleTtlSeconds: 300,
    sweepIntervalMs: 5000,
    eventRetentionDays: null,
    streamLimit: 1000,
    waitLimit: 1000,
    hasTelemetry: false,
    logLevel: 'info',
    logFormat: 'json',
    isProduction: false,
  });
});

test('the configuration does not change', () => {
  expect(Object.isFrozen(readConfig({}))).toBe(true);
});

test('every variable sets its field', () => {
  const config = readConfig({
    PORT: '0',
    HOST: '0.0.0.0',
    AUTH: 'keys',
    RATE_LIMIT: '100',
    CORS_ORIGINS: 'https://desk.example.org, http://localhost:3000',
    TRUST_PROXY: '10.0.0.0/8,::1',
    HSTS_SECONDS: '31536000',
    DATABASE_URL: 'postgresql://me:secret@db:5433/tokens',
    MIGRATION_DATABASE_URL: 'postgres://owner:secret@db/tokens',
    SECRETS_KEY: `${KEY},${KEY}`,
    DATABASE_POOL_SIZE: '1',
    DATABASE_POOLER: 'transaction',
    POOL_SIZE: '1000000',
    TOKEN_TTL_SECONDS: '0.5',
    ELASTIC_POOL_SIZE: '1',
    ELASTIC_TTL_SECONDS: '31536000',
    ELASTIC_IDLE_TTL_SECONDS: '1.25',
    SWEEP_INTERVAL_MS: '0',
    EVENT_RETENTION_DAYS: '365',
    STREAM_LIMIT: '0',
    WAIT_LIMIT: '7',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector:4318/tokens',
    LOG_LEVEL: 'debug',
    LOG_FORMAT: 'pretty',
    NODE_ENV: 'production',
  });
  expect(config).toEqual({
    port: 0,
    host: '0.0.0.0',
    auth: 'keys',
    rateLimit: 100,
    corsOrigins: ['https://desk.example.org', 'http://localhost:3000'],
    trustProxy: ['10.0.0.0/8', '::1'],
    hstsSeconds: 31_536_000,
    allowedHosts: [],
    keepAliveTimeoutMs: 65_000,
    databaseUrl: 'postgresql://me:secret@db:5433/tokens',
    migrationDatabaseUrl: 'postgres://owner:secret@db/tokens',
    secretsKeys: [Buffer.alloc(32), Buffer.alloc(32)],
    databasePoolSize: 1,
    databasePooler: 'transaction',
    poolSize: 1_000_000,
    growPoolTo: 1_000_000,
    tokenTtlSeconds: 0.5,
    elasticPoolSize: 1,
    elasticTtlSeconds: 31_536_000,
    elasticIdleTtlSeconds: 1.25,
    sweepIntervalMs: 0,
    eventRetentionDays: 365,
    streamLimit: 0,
    waitLimit: 7,
    hasTelemetry: true,
    logLevel: 'debug',
    logFormat: 'pretty',
    isProduction: true,
  });
});

test.each(['127.0.0.1', '127.8.9.1', 'localhost', '::1'])(
  'AUTH defaults to open on %s, which other machines cannot reach',
  (HOST) => {
    expect(readConfig({ HOST }).auth).toBe('open');
    expect(readConfig({ HOST, AUTH: 'keys' }).auth).toBe('keys');
  },
);

test.each(['0.0.0.0', '::', '192.168.1.7', 'tokens.example.org', '127.example.org', 'localhost.example.org'])(
  'on %s somebody has to say whether it is open',
  (HOST) => {
    expect(() => readConfig({ HOST })).toThrow(ConfigError);
    expect(() => readConfig({ HOST })).toThrow(
      /^AUTH is not set, and others .*; allowed is keys [^\n]+ or open [^\n]+$/,
    );
    for (const AUTH of ['open', 'keys']) expect(readConfig({ HOST, AUTH }).auth).toBe(AUTH);
  },
);

test('TRUST_PROXY takes a number of proxies or their addresses', () => {
  expect(readConfig({ TRUST_PROXY: '2' }).trustProxy).toBe(2);
  expect(readConfig({ TRUST_PROXY: '10.1.2.3' }).trustProxy).toEqual(['10.1.2.3']);
});

test('a POOL_SIZE that equals the default still counts as set', () => {
  expect(readConfig({ POOL_SIZE: '100' }).growPoolTo).toBe(100);
});

test('logs are pretty on a terminal, unless NODE_ENV or LOG_FORMAT says otherwise', () => {
  expect(readConfig({}, true).logFormat).toBe('pretty');
  expect(readConfig({ NODE_ENV: 'production' }, true).logFormat).toBe('json');
  expect(readConfig({ LOG_FORMAT: 'json' }, true).logFormat).toBe('json');
  expect(readConfig({}, false).logFormat).toBe('json');
});

const BAD_NUMBERS = [
  '',
  ' ',
  ' 12',
  '12 ',
  '1e3',
  '0x10',
  '-1',
  '+1',
  '012',
  '1_000',
  'Infinity',
  'NaN',
  'ten',
  '12\n',
];
const BAD: [name: string, values: string[]][] = [
  ['PORT', [...BAD_NUMBERS, '65536', '80.5']],
  ['AUTH', ['', 'none', 'OPEN', 'key']],
  ['RATE_LIMIT', [...BAD_NUMBERS, '0.5', '1000001']],
  [
    'CORS_ORIGINS',
    ['', '*', 'null', 'desk.example.org', 'https://a.example/', 'https://a.example,', 'ftp://a.example'],
  ],
  [
    'TRUST_PROXY',
    ['', 'true', '-1', '100', '1.5', '10.0.0', '10.0.0.0/33', '::1/129', '10.0.0.0/8/8', 'proxy.local', '1,2'],
  ],
  ['HSTS_SECONDS', [...BAD_NUMBERS, '63072001']],
  ['HOST', ['', ' ', 'a b', 'a/b']],
  ['DATABASE_POOL_SIZE', [...BAD_NUMBERS, '0', '1001']],
  ['DATABASE_POOLER', ['', 'session', 'Transaction']],
  ['POOL_SIZE', [...BAD_NUMBERS, '0', '1000001', '1.5']],
  ['TOKEN_TTL_SECONDS', [...BAD_NUMBERS, '0', '0.0', '.5', '1.', '31536001', '99999999999']],
  ['ELASTIC_POOL_SIZE', [...BAD_NUMBERS, '0']],
  ['ELASTIC_TTL_SECONDS', [...BAD_NUMBERS, '0']],
  ['ELASTIC_IDLE_TTL_SECONDS', [...BAD_NUMBERS, '0']],
  ['SWEEP_INTERVAL_MS', [...BAD_NUMBERS, '0.5', '86400001']],
  ['LOG_LEVEL', ['', 'loud', 'INFO']],
  ['LOG_FORMAT', ['', 'xml']],
  ['NODE_ENV', ['', ' ']],
];

test.each(BAD.flatMap(([name, values]) => values.map((value) => [name, value])))(
  'the error of %s=%j names the variable, its value and the allowed values',
  (name, value) => {
    const read = (): unknown => readConfig({ [name]: value });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(new RegExp(`^${name} is .*; allowed is [^\n]+$`));
    expect(read).toThrow(JSON.stringify(value));
  },
);

test.each([
  '',
  'tokens',
  'mysql://me:secret@db/tokens',
  'postgres://',
  'postgres://me:secret@db:port/tokens',
  'postgres://me:secret%zz@db/tokens',
  'postgres://me:secret@db/%E0%A4%A',
])('the error of the database URL %j does not quote its password', (url) => {
  expect(() => readConfig({ DATABASE_URL: url })).toThrow(/^DATABASE_URL is \(not shown\); allowed is postgres:/);
});

test('a pooler requires MIGRATION_DATABASE_URL, which leads past it', () => {
  expect(() => readConfig({ DATABASE_POOLER: 'transaction' })).toThrow(
    /^MIGRATION_DATABASE_URL is missing; .* past the pooler$/,
  );
});

test('an empty OTEL_* variable counts as unset', () => {
  const { hasTelemetry } = readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_SDK_DISABLED: '' });
  expect(hasTelemetry).toBe(false);
});
