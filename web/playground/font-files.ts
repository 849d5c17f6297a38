import { createHash } from 'node:crypto';
import { dirname } from 'node:path/posix';
import type { Plugin } from 'vite';

const INLINED = /url\(["']?data:font\/(woff2?|ttf);base64,([A-Za-z0-9+/=]+)["']?\)/g;

/**
 * Moves fonts inlined in a style sheet to files of their own: the Content-Security-Policy then need not allow data:
 * fonts, and browsers load only the alphabets they show.
 */
export function fontFiles(): Plugin {
  return {
    name: 'reel:font-files',
    apply: 'build',
    generateBundle(_options, bundle) {
      for (const sheet of Object.values(bundle)) {
        if (sheet.type !== 'asset' || !sheet.fileName.endsWith('.css')) continue;
        sheet.source = sheet.source.toString().replace(INLINED, (_url, extension: string, base64: string) => {
          const source = Buffer.from(base64, 'base64');
          const name = `font-${createHash('sha256').update(source).digest('base64url').slice(0, 8)}.${extension}`;
          this.emitFile({ type: 'asset', fileName: `${dirname(sheet.fileName)}/${name}`, source });
          return `url(./${name})`;
        });
      }
    },
  };
}
