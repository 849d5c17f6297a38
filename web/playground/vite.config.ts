import { defineConfig } from 'vite';
import { precompress } from '../precompress.ts';
import { fontFiles } from './font-files.ts';

export default defineConfig({
  root: import.meta.dirname,
  // Relative, so that the page may stand under a host's prefix; its files then lie at playground/ beside it.
  base: './',
  build: {
    outDir: '../../dist/playground',
    assetsDir: 'playground',
    emptyOutDir: true,
    // Nothing inline that the Content-Security-Policy forbids.
    assetsInlineLimit: 0,
    target: 'es2022',
    // Monaco is one large part, loaded once and kept.
    chunkSizeWarningLimit: 4_000,
    reportCompressedSize: false,
    rolldownOptions: {
      // "use client" and its like mean nothing in a page that has no server part.
      onLog: (level, log, report) => log.code !== 'MODULE_LEVEL_DIRECTIVE' && report(level, log),
    },
  },
  html: { cspNonce: '__REEL_NONCE__' },
  worker: { format: 'es' },
  plugins: [fontFiles(), precompress()],
});
