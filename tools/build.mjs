// Compiles programs into dist, each with all that it imports of this repository: `node tools/build.mjs api demo`.
// The files of a program's own folder stand at the top, so that dist/api/main.js starts the API; every other file keeps its
// path below that (dist/api/libs/tokens/src/index.js). tsc alone would repeat the path of the program inside its own
// output and would leave aliases such as @app/tokens to be resolved at run time.
// It leaves the check of types to `npm run types`, and so takes a third of the time.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';

const ROOT = join(import.meta.dirname, '..');
/** The programs come from the file that Nest's own commands read, too. */
const { projects } = JSON.parse(readFileSync(join(ROOT, 'nest-cli.json'), 'utf8'));
const PROGRAMS = Object.keys(projects).filter((name) => projects[name].type === 'application');
/** Further entry points of a program beside its main file. */
const MORE = { api: ['write-openapi.ts', '../../../ormconfig.ts'], chaos: ['ha/main.ts'] };

const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, ROOT);
/** A single file does not show that package.json makes it an ES module. */
const emitted = { ...options, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
const CACHE = ts.createModuleResolutionCache(ROOT, (name) => name, options);

const { values, positionals } = parseArgs({ allowPositionals: true, options: { to: { type: 'string' } } });
for (const name of positionals) {
  if (!PROGRAMS.includes(name)) fail(`there is no program ${name}; there are ${PROGRAMS.join(', ')}`);
  const { sourceRoot, entryFile } = projects[name];
  build(
    join(ROOT, sourceRoot),
    [`${entryFile}.ts`, ...(MORE[name] ?? [])],
    resolve(values.to ?? join(ROOT, 'dist', name)),
  );
}

function build(folder, entries, out) {
  rmSync(out, { recursive: true, force: true });
  /** Where the output of a source belongs. */
  const placed = (source) => {
    const inside = relative(folder, source);
    return join(out, inside.startsWith('..') ? relative(ROOT, source) : inside).replace(/\.ts$/, '.js');
  };
  const sources = new Set(entries.map((entry) => join(folder, entry)));
  // A set is read to its end, also to what is added meanwhile.
  for (const source of sources) {
    const to = placed(source);
    const rewrite = (specifier) => {
      const imported = sourceOf(specifier, source);
      if (imported === undefined) return specifier;
      sources.add(imported);
      return relative(dirname(to), placed(imported)).replace(/^(?!\.)/, './');
    };
    const { outputText, sourceMapText, diagnostics } = ts.transpileModule(readFileSync(source, 'utf8'), {
      fileName: source,
      compilerOptions: emitted,
      reportDiagnostics: true,
      transformers: { before: [rewritingImports(rewrite)] },
    });
    if (diagnostics.length > 0) fail(ts.formatDiagnostics(diagnostics, ts.createCompilerHost(options)));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, outputText);
    const map = { ...JSON.parse(sourceMapText), sources: [relative(dirname(to), source)] };
    writeFileSync(`${to}.map`, JSON.stringify(map));
  }
}

/** The file of this repository that is imported; undefined for what Node finds by itself. */
function sourceOf(specifier, importer) {
  const { resolvedModule: found } = ts.resolveModuleName(specifier, importer, options, ts.sys, CACHE);
  if (found && !found.isExternalLibraryImport) return found.resolvedFileName;
  if (/^(\.|@app\/)/.test(specifier)) fail(`${importer} imports ${specifier}, which is not there`);
}

/** Changes what is imported or exported again, but for types, which are gone when it has been compiled. */
function rewritingImports(rewrite) {
  return (context) => (file) => {
    const isPath = ({ parent }) =>
      ts.isImportDeclaration(parent)
        ? !parent.importClause?.isTypeOnly
        : ts.isExportDeclaration(parent)
          ? !parent.isTypeOnly
          : ts.isCallExpression(parent) && parent.expression.kind === ts.SyntaxKind.ImportKeyword;
    const visit = (node) =>
      ts.isStringLiteral(node) && isPath(node)
        ? context.factory.createStringLiteral(rewrite(node.text), true)
        : ts.visitEachChild(node, visit, context);
    return visit(file);
  };
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
