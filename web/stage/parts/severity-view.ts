import { h, type VNode } from 'vue';
import type { LogSeverity } from '../../reel/index.js';
import { i18n } from '../i18n.js';

const SHAPES: Record<LogSeverity, string> = {
  DEBUG: 'M6 2.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7ZM6 4a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z',
  INFO: 'M6 2.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7Z',
  WARNING: 'M6 1.300 11.300 10.700H.7z',
  ERROR: 'M1.700 1.700h8.600v8.600H1.700z',
  CRITICAL: 'M6 .2 11.800 6 6 11.800.2 6z',
};

const nameOf = (severity: LogSeverity) => i18n.global.t(`reel.severities.${severity}`);

/** A severity, told by shape, by text and by colour. `iconOnly` hides the text except from assistive technology. */
export const severityView = (severity: LogSeverity, iconOnly = false): VNode =>
  h('span', { class: 'severity', 'data-severity': severity }, [
    h('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' }, [
      h('path', { 'fill-rule': 'evenodd', d: SHAPES[severity] }),
    ]),
    iconOnly ? h('span', { class: 'visually-hidden' }, nameOf(severity)) : nameOf(severity),
  ]);
