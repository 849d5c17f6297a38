import { entryToWire } from '../../log/entry/wire.js';
import type { Format } from './format.js';

/** The entry as REST shows it. */
export const reelFormat: Format = (entry) => entryToWire(entry);
