// Removes what global-setup.ts made; Jest calls it after failed tests too.
import type {} from './global-setup.js';

export default async function tearDown(): Promise<void> {
  await globalThis.cleanUpTestRun();
}
