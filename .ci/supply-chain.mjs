// What comes from others, held against what was decided about it: `npm run supply-chain [folder]`.
// Known weaknesses are asked for by .ci/audit-dependencies.mjs, which needs the registry; this needs only the files.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { json, licenceOf, nameOf, placeOf, shippedPackages } from './shipped-packages.mjs';

const folder = process.argv[2] ?? '.';
const MOST_DEPENDENCIES = 15;
const REASONS = 'docs/dependencies.md';
/** Of what is shipped: each lets everybody use, change and pass on, and asks for no more than its notice. */
const LICENCES = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Python-2.0', 'Unlicense'];

const problems = [
  ...placesWithLock('.').flatMap((place) => ofLock(join(folder, place)).map((problem) => `${place}: ${problem}`)),
  ...ofLicences(),
  ...ofReasons(),
];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log('Install scripts, lock files, licences and reasons are in order');

function placesWithLock(place) {
  const entries = readdirSync(join(folder, place), { withFileTypes: true });
  const inner = entries.filter((entry) => entry.isDirectory() && !/^(\.|node_modules$|dist$)/.test(entry.name));
  return [
    ...(entries.some(({ name }) => name === 'package-lock.json') ? [place] : []),
    ...inner.flatMap(({ name }) => placesWithLock(join(place, name))),
  ];
}

function ofLock(folder) {
  const { allowScripts = {}, dependencies, devDependencies, optionalDependencies } = json(folder, 'package.json');
  const { packages } = json(folder, 'package-lock.json');
  const entries = Object.entries(packages).filter(([place]) => place !== '');
  const withScript = new Set(
    entries.filter(([, { hasInstallScript }]) => hasInstallScript).map(([place]) => nameOf(place)),
  );
  const problems = [];
  for (const name of withScript) {
    if (allowScripts[name] !== false)
      problems.push(`${name} has an install script: deny it in allowScripts (${name}: false)`);
  }
  for (const name of Object.keys(allowScripts)) {
    if (!withScript.has(name)) problems.push(`${name} is in allowScripts and has no install script`);
  }
  for (const [place, { integrity, resolved, link, optionalDependencies = {} }] of entries) {
    if (link || !integrity || (resolved && !/^https:\/\/[^/]+\/.+\.tgz$/.test(resolved)))
      problems.push(`${place} is not a package of a registry with an integrity`);
    // npm leaves out what the registry lacked at the time, in silence, and then `npm ci` fails elsewhere.
    for (const name of Object.keys(optionalDependencies)) {
      if (!placeOf(packages, place, name))
        problems.push(`${place} has the optional dependency ${name}, which the lock does not know`);
    }
  }
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
    if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) problems.push(`${name} is wanted as ${version}: name one version`);
  }
  return problems;
}

function ofLicences() {
  return Object.entries(shippedPackages(folder)).flatMap(([place, entry]) => {
    const said = licenceOf(place, entry);
    return LICENCES.includes(said)
      ? []
      : [`${place} is shipped under ${said ?? 'no licence'}, which is not on the list`];
  });
}

/** The table of docs/dependencies.md has each direct dependency, and each with a reason. */
function ofReasons() {
  const { dependencies } = json(folder, 'package.json');
  const section = readFileSync(join(folder, REASONS), 'utf8')
    .split(/^## /m)
    .find((text) => text.startsWith('Run-time dependencies\n'));
  if (!section) return [`${REASONS} has no section "## Run-time dependencies"`];
  const rows = Array.from(section.matchAll(/^\| `([^`]+)` +\| *(.*?) *\|$/gm), ([, name, reason]) => [name, reason]);
  const reasons = new Map(rows);
  const names = Object.keys(dependencies);
  return [
    ...(names.length > MOST_DEPENDENCIES
      ? [`${names.length} run-time dependencies, and at most ${MOST_DEPENDENCIES} may be`]
      : []),
    ...names
      .filter((name) => !reasons.get(name))
      .map((name) => `${REASONS} gives no reason for the dependency ${name}`),
    ...[...reasons.keys()]
      .filter((name) => !names.includes(name))
      .map((name) => `${REASONS} gives a reason for ${name}, which is no dependency`),
  ];
}
