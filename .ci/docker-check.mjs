// Checks the Dockerfile and the compose file without a Docker engine: `npm run docker:check [folder]`.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DCLinter } from 'dclint';
import { validate } from 'dockerfile-utils/lib/main.js';
import { parse } from 'yaml';

const folder = process.argv[2] ?? '.';
const read = (name) => readFileSync(join(folder, name), 'utf8');
const problems = [];
const expect = (holds, problem) => holds || problems.push(problem);

const dockerfile = read('Dockerfile');
for (const { message, range } of validate(dockerfile)) {
  problems.push(`Dockerfile:${range.start.line + 1}: ${message}`);
}

// The parts that a linter cannot know: what the last stage, which is the default one, must be.
const production = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
const { start } = JSON.parse(read('package.json')).scripts;
const command = /^CMD (\[.*\])$/m.exec(production)?.[1];
expect(/^\nFROM \S+ AS production$/m.test(production), 'Dockerfile: the last stage must be "production"');
expect(/^USER node$/m.test(production), 'Dockerfile: production must run as USER node');
expect(/^HEALTHCHECK /m.test(production), 'Dockerfile: production has no HEALTHCHECK');
expect(
  /npm ci --omit=dev --omit=optional/.test(dockerfile),
  'Dockerfile: production must omit dev and optional dependencies',
);
for (const [install] of dockerfile.matchAll(/\bnpm ci\b.*/g)) {
  expect(install.includes('--ignore-scripts'), `Dockerfile: "${install}" must not run the scripts of packages`);
}
expect(
  command !== undefined && `exec ${JSON.parse(command).join(' ')}` === start,
  `Dockerfile: production must start as npm does (${start}), in exec form, so that node is PID 1`,
);

const linter = new DCLinter({
  rules: {
    // Taste: a service reads best from its image to its limits, and the database before the API that needs it.
    'service-keys-order': 0,
    'services-alphabetical-order': 0,
    // The folder's name will do, and docker-compose 1 refuses the field.
    'require-project-name-field': 0,
    // The default of prettier for this project.
    'require-quotes-in-ports': [2, { quoteType: 'single' }],
  },
  quiet: false,
  debug: false,
  exclude: [],
});
for (const { messages } of linter.lintFiles([join(folder, 'docker-compose.yml')], false)) {
  for (const { line, message, rule } of messages) problems.push(`docker-compose.yml:${line}: ${message} (${rule})`);
}

// For development and tests: as their images start by themselves.
const MAY_DO_MORE = ['db', 'test', 'test-db'];
const PINNED = /^\S+:v?\d+\.\d+(\.\d+)?(-[\w.-]+)?$/;
const { services } = parse(read('docker-compose.yml'), { merge: true });
for (const [name, service] of Object.entries(services)) {
  const must = (holds, what) => expect(holds, `docker-compose.yml: ${name} must ${what}`);
  if (service.image) must(PINNED.test(service.image), `name one version of its image, not ${service.image}`);
  if (service.environment?.DATABASE_URL && !service.command && name !== 'test') {
    must(service.environment.TRUST_PROXY, 'say by TRUST_PROXY how many proxies stand in front');
  }
  if (MAY_DO_MORE.includes(name)) continue;
  must(service.read_only === true, 'have a read-only file system');
  must(service.cap_drop?.includes('ALL'), 'drop all capabilities');
  must(service.security_opt?.includes('no-new-privileges:true'), 'gain no privileges');
  must(!/^(root|0)\b/.test(service.user ?? ''), 'not run as root');
  for (const port of service.ports ?? [])
    must(port.startsWith('127.0.0.1:'), `publish to this machine only, not ${port}`);
}
for (const [, image] of dockerfile.matchAll(/^FROM (\S+:\S+) /gm)) {
  expect(PINNED.test(image), `Dockerfile: ${image} must name one version`);
}

const compose = [['docker', 'compose'], ['docker-compose']].find(
  ([tool, ...args]) => spawnSync(tool, [...args, 'version']).status === 0,
);
if (compose) {
  const [tool, ...args] = compose;
  try {
    execFileSync(tool, [...args, '--file', join(folder, 'docker-compose.yml'), 'config', '--quiet'], { stdio: 'pipe' });
  } catch (error) {
    problems.push(`${compose.join(' ')} config: ${error.stderr}`);
  }
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(
  `Dockerfile and docker-compose.yml are sound; compose config: ${compose ? 'ok' : 'skipped (no compose here)'}`,
);
