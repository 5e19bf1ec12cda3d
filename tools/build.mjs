// Compiles programs into dist, each with all that it imports of this repository: `node tools/build.mjs api admin`.
// What lies in a program's own folder stands at the top, so that dist/api/main.js starts the API; every other file keeps
// its path below that (dist/api/libs/tokens/src/index.js). tsc alone would repeat the path of the program inside its own
// output, and leaves aliases such as @app/tokens to be resolved at run time: both are rewritten here.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '..');
/** The folder of each program, and the files in it that Node is started with. */
const PROGRAMS = {
  api: ['apps/api/src', 'main.ts', 'write-openapi.ts', 'migrate.ts', 'after-restore.ts', '../../../ormconfig.ts'],
  keys: ['apps/keys/src', 'main.ts'],
  audit: ['apps/audit/src', 'main.ts'],
  'events-export': ['apps/events-export/src', 'main.ts'],
  bench: ['tools/bench', 'main.ts'],
  chaos: ['tools/chaos', 'main.ts', 'ha/main.ts'],
  demo: ['tools/demo', 'main.ts'],
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { to: { type: 'string' } } });
for (const name of positionals) {
  if (!Object.hasOwn(PROGRAMS, name))
    fail(`there is no program ${name}; there are ${Object.keys(PROGRAMS).join(', ')}`);
  const [folder, ...entries] = PROGRAMS[name];
  build(join(ROOT, folder), entries, resolve(values.to ?? join(ROOT, 'dist', name)));
}

function build(folder, entries, out) {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, ROOT);
  Object.assign(options, { outDir: out, rootDir: ROOT, types: ['node'] });
  const files = entries.map((entry) => join(folder, entry));
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram(files, options, host);
  const problems = ts.getPreEmitDiagnostics(program);
  if (problems.length > 0) fail(ts.formatDiagnosticsWithColorAndContext(problems, host));

  /** Where a source's or an output's path below `base` is to be. */
  const placed = (path, base) => {
    const own = relative(ROOT, folder) + '/';
    const below = relative(base, path);
    return join(out, below.startsWith(own) ? below.slice(own.length) : below);
  };
  const cache = ts.createModuleResolutionCache(ROOT, (name) => name, options);
  const rewritten = (specifier, source) => {
    const { resolvedModule: found } = ts.resolveModuleName(
      specifier,
      source.fileName,
      options,
      host,
      cache,
      undefined,
      ts.ModuleKind.ESNext,
    );
    if (!found || found.isExternalLibraryImport) return specifier;
    const to = placed(found.resolvedFileName, ROOT).replace(/\.ts$/, '.js');
    return relative(dirname(placed(source.fileName, ROOT)), to).replace(/^(?!\.)/, './');
  };
  const rewrite = (context) => (source) => {
    const { factory } = context;
    const isPath = (node) =>
      ts.isStringLiteral(node) &&
      node.parent &&
      (ts.isImportDeclaration(node.parent) ||
        ts.isExportDeclaration(node.parent) ||
        (ts.isCallExpression(node.parent) && node.parent.expression.kind === ts.SyntaxKind.ImportKeyword));
    const visit = (node) =>
      isPath(node)
        ? factory.createStringLiteral(rewritten(node.text, source), true)
        : ts.visitEachChild(node, visit, context);
    return visit(source);
  };

  rmSync(out, { recursive: true, force: true });
  const write = (path, text) => {
    const to = placed(path, out);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, path.endsWith('.map') ? moved(text, dirname(path), dirname(to)) : text);
  };
  program.emit(undefined, write, undefined, false, { before: [rewrite] });
}

/** A source map says where the sources are, seen from itself. */
function moved(text, from, to) {
  const map = JSON.parse(text);
  return JSON.stringify({ ...map, sources: map.sources.map((source) => relative(to, resolve(from, source))) });
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
