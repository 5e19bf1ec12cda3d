// The configuration: read from the environment once, validated, and frozen. docs/configuration.md lists all variables.

import { isIP } from 'node:net';
import { MAX_POOL_SIZE, MAX_TTL_SECONDS, secretsKeysOf } from '@app/tokens';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The adapter's modes for a pooler between the service and PostgreSQL. */
export const DATABASE_POOLERS = ['none', 'transaction', 'transaction-prepared'] as const;
export const AUTHS = ['open', 'keys'] as const;

export interface Config {
  readonly port: number;
  readonly host: string;
  /** `open`: every client may do everything; `keys`: a request needs an API key, and may do what the key allows. */
  readonly auth: (typeof AUTHS)[number];
  /** The requests a second of one key, or of one address without a key, in this process; 0: no limit. */
  readonly rateLimit: number;
  /** How long a connection may be idle. Longer than a proxy in front keeps it, so that the proxy closes first. */
  readonly keepAliveTimeoutMs: number;
  /** The origins whose pages may call the API from a browser. */
  readonly corsOrigins: readonly string[];
  /** The `Host` names that AUTH=open accepts beside the service's own. */
  readonly allowedHosts: readonly string[];
  /** The number of trusted proxies in front of the service, or their addresses; they report the client address. */
  readonly trustProxy: number | readonly string[];
  /** `max-age` of Strict-Transport-Security, in seconds; 0: no such header. */
  readonly hstsSeconds: number;
  /** Undefined: the service starts its embedded database. */
  readonly databaseUrl: string | undefined;
  /** Where migrations run; undefined: at `databaseUrl`. */
  readonly migrationDatabaseUrl: string | undefined;
  /** The keys of 32 bytes for the secrets of things: the first one encrypts, all decrypt. Empty: no secrets. */
  readonly secretsKeys: readonly Buffer[];
  /** The most connections of this process. */
  readonly databasePoolSize: number;
  /** The pooler between this process and the database. */
  readonly databasePooler: (typeof DATABASE_POOLERS)[number];
  readonly poolSize: number;
  /** POOL_SIZE when it is set: an existing pool `default` grows to it. Undefined when it is not. */
  readonly growPoolTo: number | undefined;
  readonly tokenTtlSeconds: number;
  readonly elasticPoolSize: number;
  readonly elasticTtlSeconds: number;
  readonly elasticIdleTtlSeconds: number;
  /** The pause between two sweeps; 0: no sweep. */
  readonly sweepIntervalMs: number;
  /** The least days that the database keeps events. Only the role that migrates can change it. Null: for ever. */
  readonly eventRetentionDays: number | null;
  /** The most open streams of this process. */
  readonly streamLimit: number;
  /** The most requests of this process that wait for their turn in a line. */
  readonly waitLimit: number;
  /**
   * Whether the service exports traces and metrics by OpenTelemetry; the SDK reads the other OTEL_* variables itself.
   */
  readonly hasTelemetry: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'pretty';
  readonly isProduction: boolean;
}

/** The injection token. */
export const CONFIG = Symbol('CONFIG');

/** Its message is one line with the variable, its value, and the allowed values. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

interface Variable<T> {
  readonly fallback: T;
  readonly allowed: string;
  /** Parses the text; undefined when it is not allowed. */
  readonly read: (text: string) => T | undefined;
  /** An error message does not quote the value. */
  readonly isSecret?: boolean;
}

/** The default with AUTH=keys: more than a client needs, and less than a process can serve. */
const RATE_LIMIT_OF_KEYS = 1000;

/** Two years. */
const MAX_HSTS_SECONDS = 63_072_000;

export const VARIABLES = {
  PORT: whole(4000, 0, 65_535),
  HOST: {
    fallback: '127.0.0.1',
    allowed: 'a host name or address',
    read: (text: string) => matching(/^[^\s/]+$/, text),
  },
  AUTH: oneOf(AUTHS, undefined),
  RATE_LIMIT: { ...whole(0, 0, 1_000_000), fallback: undefined } as Variable<number | undefined>,
  KEEP_ALIVE_TIMEOUT_MS: whole(65_000, 1000, 3_600_000),
  CORS_ORIGINS: {
    fallback: [],
    allowed: 'origins such as https://desk.example.org, without a slash or a path at the end, with commas between them',
    read: (text: string) => every(text, isOrigin),
  },
  ALLOWED_HOSTS: {
    fallback: [],
    allowed: 'host names without a port, with commas between them',
    read: (text: string) => every(text.toLowerCase(), (name) => /^[a-z0-9._-]+$/.test(name)),
  },
  TRUST_PROXY: {
    fallback: 0,
    allowed: 'a number of proxies, or their addresses and networks such as 10.0.0.0/8 with commas between them',
    read: (text: string) => inRange(/^(0|[1-9]\d?)$/, text, 0, 99) ?? every(text, isNetwork),
  },
  HSTS_SECONDS: whole(0, 0, MAX_HSTS_SECONDS),
  DATABASE_URL: postgresUrl(),
  MIGRATION_DATABASE_URL: postgresUrl(),
  SECRETS_KEY: {
    fallback: [] as Buffer[],
    allowed: '32 bytes in base64, or several such keys with commas between them',
    read: secretsKeysOf,
    isSecret: true,
  },
  DATABASE_POOL_SIZE: whole(10, 1, 1000),
  DATABASE_POOLER: oneOf(DATABASE_POOLERS, 'none'),
  POOL_SIZE: whole(100, 1, MAX_POOL_SIZE),
  TOKEN_TTL_SECONDS: seconds(120),
  ELASTIC_POOL_SIZE: whole(10, 1, MAX_POOL_SIZE),
  ELASTIC_TTL_SECONDS: seconds(60),
  ELASTIC_IDLE_TTL_SECONDS: seconds(300),
  SWEEP_INTERVAL_MS: whole(5000, 0, 86_400_000),
  EVENT_RETENTION_DAYS: { ...whole(0, 1, 36_500), fallback: null } as Variable<number | null>,
  STREAM_LIMIT: whole(1000, 0, 100_000),
  WAIT_LIMIT: whole(1000, 0, 100_000),
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    fallback: undefined as string | undefined,
    allowed: 'http://host:port or https://host:port, with a path where there is one',
    read: (text: string) =>
      /^https?:\/\/\S+$/.test(text) && URL.canParse(text) && isDecodable(text) ? text : undefined,
    isSecret: true,
  },
  OTEL_SDK_DISABLED: oneOf(['true', 'false'], 'false'),
  LOG_LEVEL: oneOf(LOG_LEVELS, 'info'),
  LOG_FORMAT: oneOf(['json', 'pretty'], undefined),
  NODE_ENV: { fallback: undefined, allowed: 'a word', read: (text: string) => matching(/^\S+$/, text) },
} satisfies Record<string, Variable<unknown>>;

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ConfigError */
export function readConfig(env: Environment, isTerminal = false): Config {
  const isProduction = valueOf(env, 'NODE_ENV') === 'production';
  const poolSize = valueOf(env, 'POOL_SIZE');
  const host = valueOf(env, 'HOST');
  const auth = valueOf(env, 'AUTH') ?? openOn(host);
  return Object.freeze({
    port: valueOf(env, 'PORT'),
    host,
    auth,
    rateLimit: valueOf(env, 'RATE_LIMIT') ?? (auth === 'keys' ? RATE_LIMIT_OF_KEYS : 0),
    keepAliveTimeoutMs: valueOf(env, 'KEEP_ALIVE_TIMEOUT_MS'),
    corsOrigins: valueOf(env, 'CORS_ORIGINS'),
    allowedHosts: valueOf(env, 'ALLOWED_HOSTS'),
    trustProxy: valueOf(env, 'TRUST_PROXY'),
    hstsSeconds: valueOf(env, 'HSTS_SECONDS'),
    databaseUrl: valueOf(env, 'DATABASE_URL'),
    migrationDatabaseUrl: migrationDatabaseUrl(env),
    secretsKeys: valueOf(env, 'SECRETS_KEY'),
    databasePoolSize: valueOf(env, 'DATABASE_POOL_SIZE'),
    databasePooler: valueOf(env, 'DATABASE_POOLER'),
    poolSize,
    growPoolTo: env.POOL_SIZE === undefined ? undefined : poolSize,
    tokenTtlSeconds: valueOf(env, 'TOKEN_TTL_SECONDS'),
    elasticPoolSize: valueOf(env, 'ELASTIC_POOL_SIZE'),
    elasticTtlSeconds: valueOf(env, 'ELASTIC_TTL_SECONDS'),
    elasticIdleTtlSeconds: valueOf(env, 'ELASTIC_IDLE_TTL_SECONDS'),
    sweepIntervalMs: valueOf(env, 'SWEEP_INTERVAL_MS'),
    eventRetentionDays: valueOf(env, 'EVENT_RETENTION_DAYS'),
    streamLimit: valueOf(env, 'STREAM_LIMIT'),
    waitLimit: valueOf(env, 'WAIT_LIMIT'),
    hasTelemetry:
      valueOf(env, 'OTEL_EXPORTER_OTLP_ENDPOINT') !== undefined && valueOf(env, 'OTEL_SDK_DISABLED') === 'false',
    logLevel: valueOf(env, 'LOG_LEVEL'),
    logFormat: valueOf(env, 'LOG_FORMAT') ?? (isTerminal && !isProduction ? 'pretty' : 'json'),
    isProduction,
  });
}

/**
 * @throws ConfigError when migrations would run through a pooler: their advisory lock needs a session, which a
 * transaction pooler does not keep
 */
function migrationDatabaseUrl(env: Environment): string | undefined {
  const url = valueOf(env, 'MIGRATION_DATABASE_URL');
  const pooler = valueOf(env, 'DATABASE_POOLER');
  if (url !== undefined || pooler === 'none') return url;
  throw new ConfigError(
    `MIGRATION_DATABASE_URL is missing; with DATABASE_POOLER="${pooler}" it must name the database itself, past the pooler`,
  );
}

/**
 * The default of AUTH: `open` on a loopback address. Elsewhere the operator must choose, so that nothing is open by
 * accident.
 */
function openOn(host: string): 'open' {
  if (isLoopback(host)) return 'open';
  throw new ConfigError(
    `AUTH is not set, and others can reach HOST ${JSON.stringify(host)}; allowed is keys (npm run -s admin -- keys --help makes ` +
      'them) or open (everybody who reaches the service may do everything)',
  );
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

type Values = { [Name in keyof typeof VARIABLES]: (typeof VARIABLES)[Name] extends Variable<infer T> ? T : never };

function valueOf<Name extends keyof Values>(env: Environment, name: Name): Values[Name] {
  const { fallback, allowed, read, isSecret } = VARIABLES[name] as Variable<Values[Name]>;
  const text = env[name];
  // OpenTelemetry's specification treats an empty value as unset.
  if (text === undefined || (text === '' && name.startsWith('OTEL_'))) return fallback;
  const value = read(text);
  if (value !== undefined) return value;
  const quoted = isSecret ? '(not shown)' : JSON.stringify(text);
  throw new ConfigError(`${name} is ${quoted}; allowed is ${allowed}`);
}

function postgresUrl(): Variable<string | undefined> {
  return {
    fallback: undefined,
    allowed: 'postgres://user:password@host:port/name',
    read: (text) => (isPostgresUrl(text) ? text : undefined),
    isSecret: true,
  };
}

function whole(fallback: number, least: number, most: number): Variable<number> {
  return {
    fallback,
    allowed: `a whole number from ${least} to ${most}`,
    read: (text) => inRange(/^(0|[1-9]\d{0,9})$/, text, least, most),
  };
}

function seconds(fallback: number): Variable<number> {
  return {
    fallback,
    allowed: `a number of seconds of more than 0 and at most ${MAX_TTL_SECONDS}, such as 120 or 0.5`,
    read: (text) => inRange(/^(0|[1-9]\d{0,9})(\.\d{1,20})?$/, text, Number.MIN_VALUE, MAX_TTL_SECONDS),
  };
}

function oneOf<const T extends string, F extends T | undefined>(words: readonly T[], fallback: F): Variable<T | F> {
  return {
    fallback,
    allowed: `one of ${words.join(', ')}`,
    read: (text) => words.find((word) => word === text),
  };
}

function inRange(pattern: RegExp, text: string, least: number, most: number): number | undefined {
  const value = pattern.test(text) ? Number(text) : NaN;
  return value >= least && value <= most ? value : undefined;
}

/** The parts between commas, trimmed; undefined when one is not allowed. */
function every(text: string, isAllowed: (part: string) => boolean): string[] | undefined {
  const parts = text.split(',').map((part) => part.trim());
  return parts.every(isAllowed) ? parts : undefined;
}

const isOrigin = (text: string): boolean =>
  /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] as number;
  return (
    more.length === 0 && (bits === undefined ? most > 0 : inRange(/^(0|[1-9]\d{0,2})$/, bits, 0, most) !== undefined)
  );
}

const matching = (pattern: RegExp, text: string): string | undefined => (pattern.test(text) ? text : undefined);

function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:\/\/\S+$/.test(text) && URL.canParse(text) && isDecodable(text);
}

/** The driver decodes each part of a URL, and its error would not name the variable. */
function isDecodable(url: string): boolean {
  try {
    return decodeURIComponent(url) !== '';
  } catch {
    return false;
  }
}
