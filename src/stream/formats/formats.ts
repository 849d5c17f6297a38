import { type Format, StreamFormat } from './format.js';
import { reelFormat } from './reel.js';

export const FORMATS: Readonly<Partial<Record<StreamFormat, Format>>> = {
  [StreamFormat.REEL]: reelFormat,
};
