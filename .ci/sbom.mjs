// The bill of materials of what is shipped, as CycloneDX 1.5: `npm run -s sbom [folder]`.
// npm makes it of the whole lock file, and what is not shipped is taken out here: npm's own `--omit dev` leaves out most of
// what is shipped as well (with npm 11.19: 126 of 168 packages, Express among them).
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { json, licenceOf, nameOf, shippedPackages } from './shipped-packages.mjs';

const folder = process.argv[2] ?? '.';
const SCHEMAS = join(import.meta.dirname, '../node_modules/@cyclonedx/cyclonedx-library/res/schema');

const { name, version } = json(folder, 'package.json');
const shipped = Object.entries(shippedPackages(folder));
const licences = new Map(
  shipped.map(([place, entry]) => [`${nameOf(place)}@${entry.version}`, licenceOf(place, entry)]),
);

const options = ['--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
const whole = JSON.parse(
  execFileSync('npm', ['sbom', ...options], { cwd: folder, maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'inherit'] }),
);

const self = `${name}@${version}`;
const isShipped = (ref) => ref === self || licences.has(ref);
const bill = {
  ...whole,
  // npm calls it as its folder is called.
  metadata: { ...whole.metadata, component: { ...whole.metadata.component, name } },
  components: whole.components
    .filter(({ 'bom-ref': ref }) => isShipped(ref))
    .map((component) => ({
      ...component,
      // npm says `optional` of what a development tool needs too.
      scope: 'required',
      licenses: [{ license: { id: licences.get(component['bom-ref']) } }],
    })),
  dependencies: whole.dependencies
    .filter(({ ref }) => isShipped(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(isShipped) })),
};

const problems = [];
const schema = (name) => JSON.parse(readFileSync(join(SCHEMAS, `${name}.SNAPSHOT.schema.json`), 'utf8'));
const ajv = new Ajv({ strict: false, allErrors: true });
for (const name of ['jsf-0.82', 'spdx'])
  ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
addFormats(ajv, ['date-time', 'uri', 'email']);
// Ajv knows no international forms; those of the ASCII ones are among them.
ajv.addFormat('iri-reference', true).addFormat('idn-email', true);
const validate = ajv.compile(schema('bom-1.5'));
if (!validate(bill)) problems.push(...validate.errors.map(({ instancePath, message }) => `${instancePath} ${message}`));
const listed = new Set(bill.components.map(({ 'bom-ref': ref }) => ref));
problems.push(
  ...[...licences.keys()].filter((ref) => !listed.has(ref)).map((ref) => `${ref} is shipped and not in it`),
);

for (const problem of problems) console.error(`the bill of materials: ${problem}`);
if (problems.length > 0) process.exit(1);
console.log(JSON.stringify(bill, null, 2));
