// Known weaknesses of what the lock file names: `npm run audit:dependencies [folder]`. Each is mended, or explained in
// .ci/weaknesses.json until a day: [{"advisory": "GHSA-…", "package": "…", "reason": "…", "until": "2027-01-31"}].
// Exit code 75: the registry does not tell, so nothing is known.
import { spawnSync } from 'node:child_process';
import { json } from './shipped-packages.mjs';

const NOT_TOLD = 75;
const folder = process.argv[2] ?? '.';
const today = new Date().toISOString().slice(0, 10);

const explained = new Map();
const problems = [];
for (const { advisory, package: name, reason, until } of json(folder, '.ci/weaknesses.json')) {
  if (!advisory || !name || !reason || !/^\d{4}-\d\d-\d\d$/.test(until))
    problems.push(`${advisory}: an explanation has advisory, package, reason and until`);
  else if (until < today) problems.push(`${advisory} of ${name} was explained until ${until}: look again`);
  else explained.set(advisory, name);
}
end(problems);

const { stdout } = spawnSync('npm', ['audit', '--json', '--package-lock-only'], {
  cwd: folder,
  encoding: 'utf8',
  maxBuffer: 64 << 20,
  stdio: ['ignore', 'pipe', 'ignore'],
});
const { vulnerabilities, message, error } = JSON.parse(stdout || '{}');
if (!vulnerabilities) {
  console.log(
    `the registry does not tell of weaknesses: ${(message ?? error?.summary ?? 'no answer').split(' - ')[0]}`,
  );
  process.exit(NOT_TOLD);
}

const found = new Map();
for (const { via } of Object.values(vulnerabilities)) {
  // A word instead of an advisory: another package that has one.
  for (const cause of via.filter((cause) => typeof cause === 'object')) {
    found.set(cause.url.split('/').at(-1), `${cause.name} ${cause.range}: ${cause.title} (${cause.severity})`);
  }
}
end([
  ...[...found].filter(([advisory]) => !explained.has(advisory)).map(([advisory, what]) => `${advisory}: ${what}`),
  ...[...explained]
    .filter(([advisory]) => !found.has(advisory))
    .map(([advisory, name]) => `${advisory} of ${name} is explained and not there any more`),
]);
console.log(`No known weakness that is not explained; explained: ${explained.size}`);

function end(problems) {
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exit(1);
}
