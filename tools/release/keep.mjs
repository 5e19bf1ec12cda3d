// Stores the compiled API of this version and its document in test/released, so that tests can run later versions
// beside it without git and network. The archive has only our own code, which finds its imports in node_modules. The
// version comes from the package.json beside it. Usage: npm run release:keep

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const BUILT = 'dist/api';
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const archive = `test/released/${version}.tar.gz`;
if (existsSync(archive)) {
  console.error(`${archive} is there already: what was released does not change. Raise the version in package.json`);
  process.exit(1);
}
const files = readdirSync(BUILT, { recursive: true }).filter((file) => file.endsWith('.js'));
mkdirSync('test/released', { recursive: true });
// The archive has the same bytes on every machine.
const anonymous = ['--owner=0', '--group=0', '--numeric-owner', '--mtime=2020-01-01', '--mode=u=rw,go=r'];
execFileSync('tar', [
  '-czf',
  archive,
  ...anonymous,
  '-C',
  join(process.cwd(), BUILT),
  ...files.sort(),
  ...['-C', process.cwd(), 'package.json'],
]);
copyFileSync('openapi.json', `test/released/openapi-${version}.json`);
console.log(`${archive}: ${files.length} files, ${Math.round(statSync(archive).size / 1000)} kB`);
