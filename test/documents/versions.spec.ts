// package.json has the version, and whatever else names it says the same.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const textOf = (path: string): string => readFileSync(join(__dirname, '../..', path), 'utf8');
const { version } = JSON.parse(textOf('package.json')) as { version: string };

test.each([
  ['package-lock.json', /^ {2}"version": "(.*)"/m],
  ['libs/client/package.json', /^ {2}"version": "(.*)"/m],
  ['apps/cli/package.json', /^ {2}"version": "(.*)"/m],
  ['openapi.json', /^ {4}"version": "(.*)"/m],
  ['Dockerfile', /org\.opencontainers\.image\.version=(\S+)/],
  ['deploy/kubernetes/kustomization.yaml', /newTag: (\S+)/],
  // The topmost: what is not released yet has its version in brackets.
  ['CHANGELOG.md', /^## (?:Unreleased \()?(\d+\.\d+\.\d+)/m],
])('%s has the version of package.json', (path, place) => {
  expect(place.exec(textOf(path))?.[1]).toBe(version);
});
