import { THEMES, type Theme } from '../preferences.js';

/** Parts of the page that a host may leave out. That hides them and protects nothing: grants do. */
export const PARTS = ['search', 'time', 'chart', 'breakdown', 'export', 'views'] as const;
export type Part = (typeof PARTS)[number];

/** How a host shows this page in a frame of its own. */
export interface Embedding {
  hidden: ReadonlySet<Part>;
  theme: Theme | null;
  /** What stays in the address when the token has left it. */
  hash: string;
}

/** Reads `#embed&token=…&hide=search,time&theme=dark`. Null where the page stands by itself. */
export function readEmbedding(hash: string): Embedding | null {
  const params = new URLSearchParams(hash.slice(1));
  if (!params.has('embed')) return null;
  const [hide, theme] = [params.get('hide') ?? '', params.get('theme')];
  return {
    hidden: new Set(PARTS.filter((part) => hide.split(',').includes(part))),
    theme: THEMES.find((each) => each === theme) ?? null,
    hash: `#embed${hide && `&hide=${encodeURIComponent(hide)}`}${theme ? `&theme=${encodeURIComponent(theme)}` : ''}`,
  };
}

/**
 * Takes tokens that the host's page sends: `{type: 'reel:token', token}`. Only a page of an origin that the server lists
 * can have this one in a frame, so what the parent says is taken, and nothing that any other window says.
 */
export function takeTokens(signIn: (token: string) => unknown): void {
  addEventListener('message', ({ source, data }: MessageEvent<unknown>) => {
    if (source !== window.parent || window.parent === window) return;
    if (typeof data !== 'object' || data === null || !('type' in data) || data.type !== 'reel:token') return;
    if ('token' in data && typeof data.token === 'string') signIn(data.token);
  });
}

/** Asks the host's page for a token; the question holds nothing that is secret. */
export const askParent = () => window.parent.postMessage({ type: 'reel:token-wanted' }, '*');
