import { defineConfig } from 'vite';
import { precompress } from '../precompress.ts';
import { fontFiles } from './font-files.ts';

export default defineConfig({
  root: import.meta.dirname,
  // Relative, so that a host can serve the page under a prefix, with its files in playground/ beside it.
  base: './',
  build: {
    outDir: '../../dist/playground',
    assetsDir: 'playground',
    emptyOutDir: true,
    // The Content-Security-Policy forbids inlined assets.
    assetsInlineLimit: 0,
    target: 'es2022',
    // Monaco is one large chunk, which browsers cache.
    chunkSizeWarningLimit: 4_000,
    reportCompressedSize: false,
    rolldownOptions: {
      // "use client" means nothing without server components.
      onLog: (level, log, report) => log.code !== 'MODULE_LEVEL_DIRECTIVE' && report(level, log),
    },
  },
  html: { cspNonce: '__REEL_NONCE__' },
  worker: { format: 'es' },
  plugins: [fontFiles(), precompress()],
});
