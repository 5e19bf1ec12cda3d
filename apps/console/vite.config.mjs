// How the console is built, and served while it is worked on: `npx vite apps/console` beside a running service.
import { defineConfig } from 'vite';

export default defineConfig(({ command }) => ({
  // Built, the files find each other wherever a proxy has put them; the service says to the page where they are.
  base: command === 'build' ? './' : '/console/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../dist/console',
    emptyOutDir: true,
    target: ['chrome123', 'edge123', 'firefox121', 'safari17.5'],
    // The page may load nothing but its own files, so nothing is put into them as data.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:4000' } },
}));
