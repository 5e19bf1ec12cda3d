// The pages hold together: each link and path leads somewhere, each page is in the table of contents, each variable is
// documented.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { VARIABLES } from '../../apps/api/src/config.js';

const ROOT = join(__dirname, '../..');
const PAGES = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'apps/cli/README.md', 'libs/client/README.md'],
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];

/** Pages whose prose is checked; those of the bench and of chaos are partly written by these. */
const CHECKED = PAGES.filter((page) => !/^docs\/(benchmarks|reliability)\.md$/.test(page));

const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

/** Without code, which may hold brackets and lines that begin with `#`. */
const proseOf = (page: string): string => textOf(page).replace(/^ *```[\s\S]*?^ *```$/gm, '');

/** As GitHub makes the anchors of headings. */
function anchorsOf(page: string): string[] {
  return Array.from(proseOf(page).matchAll(/^#+ (.*)$/gm), ([, heading]) =>
    heading!
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The links of a page to files and headings of this repository that are not there. */
function brokenLinks(page: string, text: string): string[] {
  const targets = Array.from(text.replace(/`[^`\n]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g), ([, target]) => target!);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), decodeURIComponent(path)));
      return !existsSync(join(ROOT, file)) || (anchor !== undefined && !anchorsOf(file).includes(anchor));
    });
}

test.each(PAGES)('each link of %s names a file and a heading that exist', (page) => {
  expect(brokenLinks(page, proseOf(page))).toEqual([]);
});

test.each(CHECKED)('each path that %s names exists', (page) => {
  const paths = Array.from(
    proseOf(page).matchAll(/`((?:apps|deploy|docs|libs|test|tools)\/[\w./-]+)`/g),
    ([, path]) => path!,
  );
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('a link to a file or a heading that does not exist is found', () => {
  const links = ['[a](docs/nowhere.md)', '[b](docs/http.md#nowhere)', '[c](#nowhere)', '[d](docs/http.md#routes)'];
  expect(brokenLinks('README.md', links.join('\n'))).toEqual(['docs/nowhere.md', 'docs/http.md#nowhere', '#nowhere']);
});

test('the table of contents lists each page, and the index of decisions each decision', () => {
  const isDecision = (page: string): boolean => dirname(page) === 'docs/decisions';
  const missingIn = (index: string, pages: string[]): string[] => {
    const contents = textOf(index);
    return pages.filter((page) => page !== index && !contents.includes(`](${relative(dirname(index), page)})`));
  };
  const pages = PAGES.filter((page) => page !== 'README.md');
  const decisions = pages.filter((page) => isDecision(page) && basename(page) !== 'README.md');
  expect(
    missingIn(
      'docs/README.md',
      pages.filter((page) => !decisions.includes(page)),
    ),
  ).toEqual([]);
  expect(missingIn('docs/decisions/README.md', decisions)).toEqual([]);
});

test('decisions are numbered without a gap, and each has its context, what it rejected and its consequences', () => {
  const decisions = PAGES.filter((page) => /^docs\/decisions\/\d/.test(page)).sort();
  expect(decisions.map((page) => Number(basename(page).slice(0, 4)))).toEqual(decisions.map((_, index) => index + 1));
  for (const page of decisions) {
    const headings = Array.from(textOf(page).matchAll(/^## (.*)$/gm), ([, heading]) => heading);
    expect([page, ...headings]).toEqual([page, 'Context', 'Decision', 'Rejected', 'Consequences']);
  }
});

test.each(CHECKED)('the prose of %s has lines within 120 columns and names its subjects', (page) => {
  const lines = proseOf(page)
    .split('\n')
    .filter((line) => !/^ *(\||<!--)/.test(line));
  const withoutTargets = lines.map((line) => line.replace(/\]\([^)]*\)/g, ']'));
  expect(withoutTargets.filter((line) => line.length > 120)).toEqual([]);
  expect(lines.filter((line) => /\b(whoever|anew|in vain|he|him|his)\b/i.test(line))).toEqual([]);
  expect(lines.filter((line) => /(^|[-.:] )Of /.test(line))).toEqual([]);
});

test('the README has at most 12 kB', () => {
  expect(Buffer.byteLength(textOf('README.md'))).toBeLessThanOrEqual(12_000);
});

/** The rows of a page's tables of variables: name and default. */
const variablesOf = (page: string): Map<string, string> =>
  new Map(
    Array.from(textOf(page).matchAll(/^\| `([A-Z_]+)` +\| *(.*?) *\|/gm), ([, name, fallback]) => [name!, fallback!]),
  );

test('docs/configuration.md has each variable that the service reads, and no other', () => {
  expect([...variablesOf('docs/configuration.md').keys()].sort()).toEqual(Object.keys(VARIABLES).sort());
});

test.each(['README.md', 'docs/configuration.md'])('%s has the defaults of the service', (page) => {
  const served = Object.entries(VARIABLES).flatMap(([name, { fallback }]) =>
    typeof fallback === 'string' || typeof fallback === 'number' ? [[name, `\`${fallback}\``] as const] : [],
  );
  const documented = variablesOf(page);
  const both = served.filter(([name]) => documented.has(name));
  expect(both.length).toBeGreaterThan(5);
  expect(both.map(([name]) => [name, documented.get(name)])).toEqual(both);
});
