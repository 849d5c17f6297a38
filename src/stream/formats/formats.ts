import { cefFormat } from './cef.js';
import { ecsFormat } from './ecs.js';
import { type Format, StreamFormat } from './format.js';
import { ocsfFormat } from './ocsf.js';
import { reelFormat } from './reel.js';

export const FORMATS: Readonly<Record<StreamFormat, Format>> = {
  [StreamFormat.REEL]: reelFormat,
  [StreamFormat.OCSF]: ocsfFormat,
  [StreamFormat.ECS]: ecsFormat,
  [StreamFormat.CEF]: cefFormat,
};
