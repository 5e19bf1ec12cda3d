// The arrows of the architecture (README, "Architecture"): apps/api → libs/tokens ← libs/postgres. `npm run boundaries`
// checks them; test/documents/architecture.spec.ts plants a sin against each rule and sees exactly that rule fire.

const SPEC = '\\.spec\\.ts$';
const ENTRIES =
  '^(apps/[^/]+/(src/(main|write-openapi)\\.tsx?|vite\\.config\\.mjs)|libs/[^/]+/src/index\\.ts|ormconfig\\.ts)$';
const TOOL_ENTRIES = '^tools/(build\\.mjs|release/keep\\.mjs|.*main\\.ts)$';
const TEST_ENTRIES = `(${SPEC}|^test/support/global-(setup|teardown)\\.ts$)`;
/** Implementations of ports that only tests use. */
const DOUBLES = '^libs/[^/]+/src/testing/';
/** For browsers: what it needs is put into its own files when it is built. */
const CONSOLE = '^apps/console/';
/** The client is a package with dependencies of its own, and the command line a tool of the checkout: in no image. */
const OUTSIDE = '^(libs/client|apps/cli)/';
const DATABASE_DRIVERS = 'node_modules/(typeorm|pg|@types/pg)/';

/**
 * The rooms of two libs, each with what it may import from the others. In the domain: kernel ← pool ← reading ← { commands, feed,
 * audit }. The audit checks what the other rooms do, so it shares no rule with them: only events and views.
 * In the adapter: connection ← schema ← { commands, reading, audit, keys }.
 */
const ROOMS = {
  tokens: {
    kernel: [],
    pool: ['kernel/'],
    reading: ['kernel/', 'pool/'],
    commands: ['kernel/', 'pool/', 'reading/'],
    feed: ['kernel/', 'pool/', 'reading/'],
    audit: ['kernel/', 'pool/token-event\\.ts$', 'reading/views\\.ts$'],
  },
  postgres: {
    connection: [],
    schema: ['connection/'],
    commands: ['connection/', 'schema/'],
    reading: ['connection/', 'schema/'],
    audit: ['connection/', 'schema/'],
    keys: ['connection/', 'schema/', 'reading/cursor\\.ts$'],
  },
};

const roomsKeepTheirArrows = Object.entries(ROOMS).flatMap(([lib, rooms]) => [
  ...Object.entries(rooms).map(([room, known]) => ({
    name: `${lib}-${room}`,
    comment: `libs/${lib}/src/${room} imports nothing of another room but: ${known.join(', ') || 'nothing'}.`,
    severity: 'error',
    from: { path: `^libs/${lib}/src/${room}/`, pathNot: SPEC },
    to: {
      path: `^libs/${lib}/`,
      pathNot: [DOUBLES, ...[`${room}/`, ...known].map((path) => `^libs/${lib}/src/${path}`)],
    },
  })),
  {
    name: `${lib}-lives-in-rooms`,
    comment: 'A file beside the rooms would be judged by none of their rules.',
    severity: 'error',
    from: {
      path: `^libs/${lib}/src/`,
      pathNot: [DOUBLES, `^libs/${lib}/src/(index\\.ts$|(${Object.keys(rooms).join('|')})/)`],
    },
    to: {},
  },
]);

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'domain-is-pure',
      comment: 'The domain imports nothing but itself and Node: no framework, no database, no environment.',
      severity: 'error',
      from: { path: '^libs/tokens/', pathNot: SPEC },
      to: { pathNot: '^libs/tokens/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'domain-specs-do-no-io',
      comment: 'What needs a database or HTTP is tested in test/; beside the domain only test libraries are needed.',
      severity: 'error',
      from: { path: `^libs/tokens/.*${SPEC}` },
      to: { pathNot: '^libs/tokens/', dependencyTypesNot: ['core', 'npm-dev'] },
    },
    ...roomsKeepTheirArrows,
    {
      name: 'keys-know-only-the-domain',
      comment: 'Keys are rules, too: of the service they know its errors and what pools are called.',
      severity: 'error',
      from: { path: '^libs/keys/', pathNot: SPEC },
      to: { pathNot: '^libs/(keys|tokens)/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'adapter-knows-domain-and-driver',
      comment: 'postgres implements the ports of tokens and keys with TypeORM and pg, and needs nothing else.',
      severity: 'error',
      from: { path: '^libs/postgres/', pathNot: SPEC },
      to: { pathNot: ['^libs/(keys|tokens|postgres)/', DATABASE_DRIVERS], dependencyTypesNot: ['core'] },
    },
    {
      name: 'local-postgres-stands-alone',
      comment: "One file on Node alone: Jest's globalSetup loads it without any mapping of modules.",
      severity: 'error',
      from: { path: '^libs/local-postgres/', pathNot: SPEC },
      to: { dependencyTypesNot: ['core'] },
    },
    {
      name: 'client-stands-alone',
      comment: 'It is a package of its own, which runs in browsers, too: nothing of the service, and nothing of Node.',
      severity: 'error',
      from: { path: '^libs/client/', pathNot: [SPEC, DOUBLES] },
      to: { pathNot: ['^libs/client/', 'node_modules/openapi-fetch/'] },
    },
    {
      name: 'cli-knows-only-the-client',
      comment: 'What a command can do, every program can that uses the client.',
      severity: 'error',
      from: { path: '^apps/cli/', pathNot: SPEC },
      to: { pathNot: '^(apps/cli|libs/client)/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'libs-know-no-app',
      comment: 'Arrows point inwards.',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'only-the-joint-names-infrastructure',
      comment:
        'The API talks to ports: one module joins them to PostgreSQL, and its main may start a local one. The operator works on the database.',
      severity: 'error',
      from: {
        path: '^apps/',
        pathNot: [SPEC, '^apps/(api/src/(persistence\\.module|main)\\.ts$|admin/)'],
      },
      to: { path: ['^libs/(postgres|local-postgres)/', DATABASE_DRIVERS] },
    },
    {
      name: 'apps-know-no-other-app',
      comment: 'Each app is a program of its own; what two of them need belongs in a lib.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'product-knows-no-tool',
      comment: 'Tools may import anything, and are in no image: nothing of the product needs them.',
      severity: 'error',
      from: { path: '^(apps|libs|ormconfig\\.ts)' },
      to: { path: '^tools/' },
    },
    {
      name: 'tools-know-no-other-tool',
      comment: 'What two tools need is in tools/harness; what starts a released version, in tools/release.',
      severity: 'error',
      from: { path: '^tools/([^/]+)/' },
      to: { path: '^tools/', pathNot: ['^tools/$1/', '^tools/(harness|release)/'] },
    },
    {
      name: 'harness-knows-no-tool',
      comment: 'It is below the tools that use it.',
      severity: 'error',
      from: { path: '^tools/harness/' },
      to: { path: '^tools/', pathNot: '^tools/harness/' },
    },
    {
      name: 'console-runs-in-a-browser',
      comment: 'The console knows the API by its routes alone: no lib of the server, no Node.',
      severity: 'error',
      from: { path: CONSOLE },
      to: { pathNot: [CONSOLE, '^libs/client/'], dependencyTypesNot: ['npm-dev'] },
    },
    {
      name: 'apps-use-the-door-of-a-lib',
      comment: 'A lib is entered by its index.ts; what that does not export is nobody else’s.',
      severity: 'error',
      from: { path: '^apps/' },
      to: { path: '^libs/', pathNot: '^libs/[^/]+/src/index\\.ts$' },
    },
    {
      name: 'libs-use-the-door-of-a-lib',
      comment: 'As above, from one lib to another.',
      severity: 'error',
      from: { path: '^libs/([^/]+)/' },
      to: { path: '^libs/', pathNot: ['^libs/$1/', '^libs/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'shipped-code-needs-no-tests',
      comment: 'Nothing that is shipped imports from test/, from a testing/ folder or from a spec.',
      severity: 'error',
      from: { path: '^(apps|libs|ormconfig\\.ts)', pathNot: [SPEC, DOUBLES] },
      to: { path: ['^test/', DOUBLES, SPEC] },
    },
    {
      name: 'no-dev-dependencies-shipped',
      comment:
        'The production image has none. pino-pretty is loaded in development only; types are gone after compiling.',
      severity: 'error',
      from: { path: '^(apps|libs|ormconfig\\.ts)', pathNot: [SPEC, CONSOLE, OUTSIDE] },
      to: {
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only'],
        pathNot: 'node_modules/(pino-pretty|@types)/',
      },
    },
    {
      name: 'no-undeclared-dependencies',
      comment: 'What is not in package.json is there by chance. Types of what is below a framework are tolerated.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere is also one that the other rules cannot judge.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-cycles',
      comment: 'Two modules that need each other are one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment:
        'Shipped code that neither an app, nor the door of a lib, nor ormconfig.ts leads to is dead, tested or not.',
      severity: 'error',
      from: { path: ENTRIES },
      to: { path: '^(apps|libs)/', pathNot: [SPEC, DOUBLES, ENTRIES], reachable: false },
    },
    {
      name: 'no-tool-orphans',
      comment: 'A file of the tools that neither a tool nor a test leads to.',
      severity: 'error',
      from: { path: [TOOL_ENTRIES, TEST_ENTRIES] },
      to: { path: '^tools/', pathNot: [SPEC, TOOL_ENTRIES], reachable: false },
    },
    {
      name: 'no-test-orphans',
      comment: 'A helper of the tests that no test uses.',
      severity: 'error',
      from: { path: TEST_ENTRIES },
      to: { path: ['^test/support/', DOUBLES], pathNot: TEST_ENTRIES, reachable: false },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // A package of its own is tested with what the root has.
    combinedDependencies: true,
    // Packages of their own: one that knows the service by its document alone, and what was compiled.
    exclude: { path: ['^test/clients/generators/', '^(apps|libs)/[^/]+/dist/'] },
    tsConfig: { fileName: 'tsconfig.json' },
    // Imports of types are arrows too.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
