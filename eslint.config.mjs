// Type-aware rules: what a reviewer would have to see, a machine sees. Every rule that is switched off says why.
import eslint from '@eslint/js';
import { defineConfig } from 'eslint/config';
import { builtinModules } from 'node:module';
import tseslint from 'typescript-eslint';

/** What reads a clock, waits or reaches outside the process. A room that has none of it can be simulated for millions of steps. */
const CLOCKS_TIMERS_AND_IO = [
  'clearInterval',
  'clearTimeout',
  'console',
  'fetch',
  'performance',
  'process',
  'setInterval',
  'setTimeout',
  'WebSocket',
];
/** Of Node's modules: hashes, signatures and random ids are computed, everything else may reach outside. */
const OTHER_MODULES = builtinModules.filter((name) => name !== 'crypto').flatMap((name) => [name, `node:${name}`]);

export default defineConfig(
  { ignores: ['**/dist/', 'coverage/', '.data/', 'libs/client/src/openapi-types.ts'] },
  // Made by generators, and what only makes sense with that; test/clients/generators/check.mjs compiles both strictly.
  { ignores: ['test/clients/generators/generated/', 'test/clients/generators/scenarios/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // An unawaited promise loses its error, and with it a write that the caller believes in.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      // `_` says of a value that it is there only to be left out.
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_$', argsIgnorePattern: '^_$' }],
      // A port's method answers with a promise, whether or not this one has to wait: `async` makes its throws rejections.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['libs/tokens/src/{pool,audit}/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-globals': ['error', ...CLOCKS_TIMERS_AND_IO],
      'no-restricted-imports': ['error', ...OTHER_MODULES],
      'no-restricted-properties': [
        'error',
        ...['globalThis', 'global'].map((object) => ({ object })),
        { object: 'Date', property: 'now' },
      ],
      'no-restricted-syntax': ['error', "NewExpression[callee.name='Date'][arguments.length=0]"],
    },
  },
  {
    // The audit gives up its turn between pages (setImmediate), which reads no clock; a decision about a pool never does.
    files: ['libs/tokens/src/pool/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: { 'no-restricted-globals': ['error', ...CLOCKS_TIMERS_AND_IO, 'setImmediate', 'queueMicrotask'] },
  },
  {
    // Prettier wraps code, but no comments. `code` is so long because the rule has no other way to leave code alone.
    files: [
      'libs/*/src/**/*.ts',
      'apps/{admin,api,cli,console}/src/**/*.ts',
      'apps/console/src/**/*.tsx',
      'tools/**/*.ts',
    ],
    ignores: ['libs/postgres/src/schema/migrations/**'],
    rules: { 'max-len': ['error', { code: 1000, comments: 120, ignoreUrls: true }] },
  },
  {
    files: ['test/**/*.ts', '{apps,tools}/**/*.spec.ts'],
    rules: {
      // supertest's `response.body` and Nest's `getHttpServer()` are `any`: what tests read of them is judged by expect.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: { AbortSignal: false, console: false, fetch: false, performance: false, process: false },
    },
  },
);
