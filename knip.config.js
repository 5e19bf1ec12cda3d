// `npm run unused`: no file, export or dependency is there that nothing uses. What knip cannot see is named here, with
// where it is used.
export default {
  entry: [
    'apps/*/src/{main,write-openapi}.{ts,tsx}',
    'apps/console/vite.config.mjs',
    'libs/client/src/index.ts',
    'ormconfig.ts',
    'tools/**/{main,*-process}.ts',
    'tools/{build,release/keep}.mjs',
    'test/**/*.spec.ts',
    'test/support/global-*.ts',
    '.ci/*.mjs',
    'examples/*.mjs',
  ],
  project: ['**/*.{ts,tsx,mjs}', '!test/clients/generators/scenarios/**', '!test/released/**'],
  ignoreExportsUsedInFile: true,
  ignoreDependencies: [
    // .ci/sbom.mjs and .ci/kubernetes-check.mjs read their files by path.
    '@cyclonedx/cyclonedx-library',
    'kubernetes-types',
    // test/clients/generators has a package.json of its own.
    'newman',
    'openapi-to-postmanv2',
  ],
  ignoreBinaries: ['etcd'],
  // A generator writes it whole.
  ignoreIssues: { 'libs/client/src/openapi-types.ts': ['types'] },
};
