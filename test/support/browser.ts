// A real Chromium, where there is one: CHROMIUM names it, or it is where Debian and others put it.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium, type Browser, type Page } from 'playwright-core';

const ROOT = join(__dirname, '../..');
const PLACES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'].map(
  (name) => `/usr/bin/${name}`,
);

/** It stays with itself: nothing is looked up, fetched or reported. */
const ALONE = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const chromiumPath = [process.env['CHROMIUM'], ...PLACES].find((path) => path !== undefined && existsSync(path));

export function launchChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('there is no Chromium here');
  // Its own sandbox needs rights that root in a container has not.
  return chromium.launch({ executablePath: chromiumPath, args: [...ALONE, '--no-sandbox'] });
}

/** The errors that the browser reports of a page, as they come; an answer that is an error is the page's own to report. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  page.on('console', (message) => {
    const isAnswer = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isAnswer) complaints.push(message.text());
  });
  return complaints;
}

/** Into dist/console, as `npm start` does. */
export async function buildConsole(): Promise<void> {
  await promisify(execFile)('npx', ['vite', 'build', 'apps/console', '--logLevel', 'warn'], { cwd: ROOT });
}

let axe: string | undefined;

/** The accessibility violations of a page, each with its elements. */
export async function violationsOf(page: Page): Promise<string[]> {
  axe ??= readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    (
      globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      }
    ).axe.run(),
  );
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}
