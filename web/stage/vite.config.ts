import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';
import { precompress } from '../precompress.ts';

export default defineConfig({
  root: import.meta.dirname,
  // Relative, so that a host can serve the page under a prefix.
  base: './',
  build: {
    outDir: '../../dist/stage',
    emptyOutDir: true,
    // The Content-Security-Policy allows data: URLs for images only.
    assetsInlineLimit: 0,
    target: 'es2022',
    reportCompressedSize: false,
  },
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
    // Messages are interpreted: compiling them to functions is forbidden by the Content-Security-Policy.
    __INTLIFY_JIT_COMPILATION__: 'true',
    __INTLIFY_DROP_MESSAGE_COMPILER__: 'false',
  },
  plugins: [vue(), precompress()],
});
