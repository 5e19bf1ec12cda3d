// What is shipped, by the lock file: the packages that the production image installs, and those that the console's build
// puts into its files.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const CONSOLE = 'apps/console/src';

/** Entries of the lock by their place in node_modules. */
export function shippedPackages(folder) {
  const { dependencies } = json(folder, 'package.json');
  const { packages } = json(folder, 'package-lock.json');
  const shipped = {};
  const take = (from, name) => {
    const place = placeOf(packages, from, name);
    if (place === undefined || place in shipped) return;
    shipped[place] = packages[place];
    for (const needed of neededBy(packages[place])) take(place, needed);
  };
  for (const name of [...Object.keys(dependencies), ...bundledPackages(folder)]) take('', name);
  return shipped;
}

/** The names that the console's sources import: its build makes files of them. */
function bundledPackages(folder) {
  const files = readdirSync(join(folder, CONSOLE), { recursive: true }).filter((file) =>
    /(?<!\.spec)\.tsx?$/.test(file),
  );
  const names = files.flatMap((file) => {
    const text = readFileSync(join(folder, CONSOLE, file), 'utf8');
    const imports = text.matchAll(/(?:\bfrom|^import) '((?:@[\w-]+\/)?[a-z][\w.-]*)(?:\/[^']*)?';$/gm);
    return Array.from(imports, ([, name]) => name);
  });
  return [...new Set(names)];
}

/** Their package.json is older than the field that npm reads; this is what their LICENSE files say. */
const LICENCES_ELSEWHERE = { busboy: 'MIT', streamsearch: 'MIT' };

/** In the words of SPDX, or undefined. */
export const licenceOf = (place, { license }) => license ?? LICENCES_ELSEWHERE[nameOf(place)];

export const nameOf = (place) => place.split('node_modules/').at(-1);

function neededBy({ dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} }) {
  const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
  return [...Object.keys(dependencies), ...peers];
}

/** As Node finds it: in the folder of whoever needs it, else in each one above. */
export function placeOf(packages, from, name) {
  for (let above = from; ; above = above.slice(0, Math.max(0, above.lastIndexOf('/node_modules/')))) {
    const place = `${above === '' ? '' : `${above}/`}node_modules/${name}`;
    if (place in packages) return place;
    if (above === '') return undefined;
  }
}

export const json = (folder, file) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
