// `npm run docker:check` finds what it is there to find: the real files pass, and each spoilt copy fails for its own fault.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

function check(folder: string): { passed: boolean; said: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, '.ci/docker-check.mjs'), folder], {
    encoding: 'utf8',
  });
  return { passed: status === 0, said: stdout + stderr };
}

describe('the check of the Docker files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'docker-check-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('passes them as they are', () => {
    expect(check(ROOT)).toEqual({ passed: true, said: expect.stringContaining('are sound') });
  });

  type Fault = [from: string | RegExp, to: string, complaint: string];
  const DOCKERFILE: Fault[] = [
    ['EXPOSE 4000', 'EXPOSES 4000', 'Unknown instruction'],
    [/USER node(?=\nEXPOSE)/, 'USER root', 'production must run as USER node'],
    [/CMD \["node", "dist.*/, 'CMD npm start', 'in exec form, so that node is PID 1'],
    ['--omit=dev ', '', 'must omit dev and optional dependencies'],
    [' --ignore-scripts', '', '"npm ci" must not run the scripts of packages'],
    ['node:22.23.3', 'node:22', 'node:22-bookworm-slim must name one version'],
  ];
  const COMPOSE: Fault[] = [
    ["'127.0.0.1:4000:4000'", "'4000:4000'", 'no-unbound-port-interfaces'],
    ["'127.0.0.1:4001:4000'", "'0.0.0.0:4001:4000'", 'ha-api-proxy must publish to this machine only'],
    ['image: postgres:18.4', 'image: postgres', 'ha-primary must name one version of its image, not postgres'],
    [
      'haproxy:3.4.1-alpine',
      'haproxy:3-alpine',
      'ha-database must name one version of its image, not haproxy:3-alpine',
    ],
    ['read_only: true', 'read_only: false', 'ha-api must have a read-only file system'],
    ['- ALL', '- NET_RAW', 'api must drop all capabilities'],
    ['privileges:true', 'privileges:false', 'api must gain no privileges'],
    ['TRUST_PROXY: ${TRUST_PROXY:-0}', 'TRUSTED: 0', 'api must say by TRUST_PROXY how many proxies'],
    ['TRUST_PROXY: ${TRUST_PROXY:-1}', 'TRUSTED: 1', 'ha-api must say by TRUST_PROXY how many proxies'],
    ['user: postgres', 'user: root', 'ha-standby must not run as root'],
  ];

  it.each([
    ['a Dockerfile', 'Dockerfile', DOCKERFILE],
    ['a compose file', 'docker-compose.yml', COMPOSE],
  ])('refuses %s for each of its faults', (_, file, faults) => {
    const said = checkSpoilt(file, faults);
    for (const [, , complaint] of faults) expect(said).toContain(complaint);
  });

  it('refuses a start command that has moved', () => {
    expect(checkSpoilt('package.json', [['/main.js', '/moved.js', '']])).toContain('start as npm does');
  });

  it('refuses a compose file with a key that nobody knows', () => {
    expect(checkSpoilt('docker-compose.yml', [['depends_on:', 'depends:', '']])).toContain('invalid-schema');
  });

  function checkSpoilt(file: string, faults: Fault[]): string {
    for (const name of ['Dockerfile', 'docker-compose.yml', 'package.json'])
      cpSync(join(ROOT, name), join(folder, name));
    let text = readFileSync(join(folder, file), 'utf8');
    for (const [from, to] of faults) {
      expect(text).toMatch(from);
      text = text.replace(from, to);
    }
    writeFileSync(join(folder, file), text);
    const { passed, said } = check(folder);
    expect(passed).toBe(false);
    return said;
  }
});
