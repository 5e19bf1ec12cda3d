// `npm run docker:check` finds what it is there to find: the real files pass, and each spoilt copy fails for its own fault.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');

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

  it.each([
    ['an unknown instruction', 'Dockerfile', 'EXPOSE 4000', 'EXPOSES 4000', 'Unknown instruction'],
    ['a production that runs as root', 'Dockerfile', /USER node(?=\nEXPOSE)/, 'USER root', 'USER node'],
    ['a shell as PID 1', 'Dockerfile', /CMD \["node", "dist.*/, 'CMD npm start', 'exec form'],
    ['a start command that has moved', 'package.json', '/main.js', '/moved.js', 'start as npm does'],
    ['dev dependencies in production', 'Dockerfile', '--omit=dev ', '', 'omit dev'],
    ['scripts of other packages', 'Dockerfile', ' --ignore-scripts', '', 'must not run the scripts'],
    [
      'a port open to everybody',
      'docker-compose.yml',
      '127.0.0.1:4000:4000',
      '4000:4000',
      'no-unbound-port-interfaces',
    ],
    [
      'an image without a version',
      'docker-compose.yml',
      'postgres:18',
      'postgres',
      'service-image-require-explicit-tag',
    ],
    ['an unknown key', 'docker-compose.yml', 'depends_on:', 'depends:', 'invalid-schema'],
  ])('refuses %s', (_, file, from, to, complaint) => {
    for (const name of ['Dockerfile', 'docker-compose.yml', 'package.json'])
      cpSync(join(ROOT, name), join(folder, name));
    const spoilt = readFileSync(join(folder, file), 'utf8').replace(from, to);
    writeFileSync(join(folder, file), spoilt);
    expect(check(folder)).toEqual({ passed: false, said: expect.stringContaining(complaint) });
  });
});
