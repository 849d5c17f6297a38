// Run by whatever Node there is, before anything is built: says in one line what is missing, or nothing.
import { existsSync } from 'node:fs';

const [major] = process.versions.node.split('.').map(Number);
const isInstalled = existsSync(new URL('../../node_modules/.bin/tsc', import.meta.url));
const need = isInstalled
  ? major < 24 &&
    `expected Node 24, which npm ci brings and npm start uses, got ${process.version}: run npm start`
  : 'npm start builds Reel, and what builds it is not installed: npm ci --include=dev. In production run a release, which ./deploy.sh --service DIR makes (docs/operations.md)';
if (need) {
  process.stderr.write(`reel: ${need}\n`);
  process.exit(1);
}
