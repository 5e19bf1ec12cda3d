// Jest runs CommonJS and SWC compiles the ESM-only packages down: the one set-up that works on
// every supported Node with every Nest package (an ESM-only package added later joins `esmOnly`).
import { availableParallelism } from 'node:os';

const jsc = { target: 'es2022', keepClassNames: true };
const typescript = [
  '@swc/jest',
  {
    jsc: {
      ...jsc,
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    },
    module: { type: 'commonjs' },
  },
];
const javascript = ['@swc/jest', { jsc: { ...jsc, parser: { syntax: 'ecmascript' } }, module: { type: 'commonjs' } }];
const esmOnly = [
  '@nestjs',
  'file-type',
  'strtok3',
  'token-types',
  '@tokenizer',
  'uint8array-extras',
  '@borewit',
  'load-esm',
];

const shared = {
  testEnvironment: 'node',
  transform: { '^.+\\.ts$': typescript, '^.+\\.m?js$': javascript },
  transformIgnorePatterns: [`/node_modules/(?!(?:${esmOnly.join('|')})/)`],
  moduleNameMapper: { '^@app/([^/]+)$': '<rootDir>/libs/$1/src/index.ts', '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};

export default {
  // For a test that hangs. It judges no speed: on a busy machine a slow test is a good test.
  testTimeout: 300_000,
  workerIdleMemoryLimit: '800MB',
  // Jest leaves one core to itself; of two that would be half, and many tests wait for other processes.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/{apps,libs,tools}/**/*.spec.ts'] },
    {
      ...shared,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/**/*.spec.ts'],
      globalSetup: '<rootDir>/test/support/global-setup.ts',
      globalTeardown: '<rootDir>/test/support/global-teardown.ts',
    },
  ],
};
