import { resolve } from 'node:path';

const STORE = resolve(import.meta.dirname, '..', '..', '.cache', 'production');

/**
 * A shell script in place of npm, `$real`: what `npm ci --omit=dev` makes of a lock file is made by npm once on this machine, and a copy of
 * that afterwards. Everything else is npm's.
 */
export const NPM_ONCE = `
case " $* " in *" ci "*" --omit=dev "*) ;; *) exec "$real" "$@" ;; esac
made='${STORE}'/$({ printf '%s\\n' "$@"; cat package.json package-lock.json; } | sha256sum | cut -c 1-20)
if [ -d "$made" ]; then exec cp -a "$made/node_modules" node_modules; fi
"$real" "$@" || exit
mkdir -p '${STORE}'
find '${STORE}' -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} +
draft=$(mktemp -d '${STORE}'/.draft-XXXXXX)
cp -a node_modules "$draft/node_modules"
mv -T "$draft" "$made" 2>/dev/null || rm -rf "$draft"
`;
