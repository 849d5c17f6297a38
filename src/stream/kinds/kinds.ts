import { type Kind, StreamKind } from './kind.js';
import { webhook } from './webhook.js';

/** Every kind; a new one is a file of its own and a line here. */
export const KINDS: Readonly<Partial<Record<StreamKind, Kind>>> = {
  [StreamKind.WEBHOOK]: webhook as Kind,
};
