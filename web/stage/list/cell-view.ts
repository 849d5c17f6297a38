import { createCommentVNode, h, type VNode } from 'vue';
import { i18n, type Language } from '../i18n.js';
import Icon from '../parts/Icon.vue';
import { markedText, nameText } from '../parts/recorded-text.js';
import { recordedView } from '../parts/recorded-view.js';
import { severityView } from '../parts/severity-view.js';
import { formatClock, formatDay } from '../parts/times.js';
import { actorOf, resourceOf } from './cells.js';
import { type Column, isDataColumn, pathOf, textAt } from './columns.js';
import type { Row } from './entries.js';

/** What a cell is shown in beside its entry. A new object whenever some of it changes, or a text of the page. */
export interface CellWords {
  language: Language;
  zone: string;
  clientName: (id: string) => string | null;
  /** What the action of a row is registered as. */
  described: (row: Row) => string | null;
}

const { t } = i18n.global;

/** What a cell shows of its entry. Nodes and not a component: rows come and go by the thousand, each with as many cells as columns. */
export function cellView(row: Row, column: Column, words: CellWords): VNode {
  switch (column) {
    case 'time':
      return timeView(row.createdAt, words);
    case 'occurred':
      return timeView(row.occurredAt, words);
    case 'severity':
      return severityView(row.severity);
    case 'actor':
      return actorView(row);
    case 'resource':
      return resourceView(row);
    case 'action':
      return actionView(row, words);
    case 'outcome':
      return h(
        'span',
        { class: 'outcome', 'data-outcome': row.outcome },
        row.outcome ? t(`reel.outcomes.${row.outcome}`) : '',
      );
    case 'origin':
      return h('span', t(`reel.origins.${row.origin}`));
    default: {
      const text = textOf(row, column, words);
      if (text === null) return createCommentVNode();
      return recordedView(text, { name: isCode(column) ? 'code' : '', title: titleOf(text) });
    }
  }
}

function timeView(at: string | null, { language, zone }: CellWords): VNode {
  if (at === null) return createCommentVNode();
  return h('time', { datetime: at, title: at }, [
    h('span', { class: 'day' }, formatDay(at, language, zone)),
    formatClock(at, language, zone),
  ]);
}

function actorView(row: Row): VNode {
  const name = actorOf(row) ?? t(`reel.actorTypes.${row.actorType}`);
  const title = titleOf(row.actorEmail ?? row.actorId);
  if (row.onBehalfOfId === null && row.onBehalfOfName === null) return recordedView(name, { title });
  const behalf = behalfOf(row);
  return h('span', { title }, [
    h('span', { class: 'behalf', title: behalf }, [
      h(Icon, { name: 'behalf' }),
      !row.onBehalfOfName && h('span', { class: 'visually-hidden' }, behalf),
    ]),
    recordedView(name),
    ...(row.onBehalfOfName ? [' ', h('bdi', { class: 'acting' }, behalf)] : []),
  ]);
}

/** In the words of whoever registered it, and then the name that it is found by. */
function actionView(row: Row, { described }: CellWords): VNode {
  const { action } = row;
  const said = described(row);
  if (said === null) return recordedView(action, { name: 'code', title: titleOf(action) });
  return h('span', { class: 'telling', title: titleOf(said, action) }, [
    recordedView(said, { name: 'said' }),
    ' ',
    recordedView(action, { name: 'code' }),
  ]);
}

/** A resource's type is seen whole where it is short, else its beginning. */
const leastOf = (type: string) => (type.length > 6 ? { minInlineSize: '4ch' } : { flexShrink: '0' });

function resourceView(row: Row): VNode {
  const { resourceName, resourceType, resourceId } = row;
  const title = titleOf(resourceName, resourceOf(row));
  if (resourceName) return recordedView(resourceName, { title });
  // Where there is little room, the type gives way first, and then the beginning of the id: its end tells it from others.
  return h('span', { class: 'code resource', title }, [
    resourceType && h('span', { class: 'type', style: leastOf(resourceType) }, [recordedView(resourceType)]),
    resourceId && h('span', { class: 'id' }, [h('bdi', { dir: 'ltr' }, ['/', recordedView(resourceId)])]),
  ]);
}

/** A tooltip, a line each. */
const titleOf = (...texts: (string | null)[]) =>
  texts.flatMap((text) => (text ? [markedText(text)] : [])).join('\n') || undefined;

/** Which of the two really acted depends on the leaf version, which rows do not have; only those of version 2 have the name. */
const behalfOf = ({ onBehalfOfName }: Row) =>
  onBehalfOfName ? t('list.actingFor', { name: nameText(onBehalfOfName) }) : t('list.delegated');

/** Of a column that is plain text. */
function textOf(row: Row, column: Column, { clientName }: CellWords): string | null {
  if (isDataColumn(column)) return textAt(row.data, pathOf(column)!);
  switch (column) {
    case 'module':
      return row.module;
    case 'action':
      return row.action;
    case 'client':
      return row.clientId && (clientName(row.clientId) ?? row.clientId);
    case 'ip':
      return row.ipAddress;
    case 'email':
      return row.actorEmail;
    case 'behalf':
      return row.onBehalfOfName ?? row.onBehalfOfId;
    case 'request':
      return row.requestId;
    default:
      return null;
  }
}

const CHARACTER_PX = 6.75;
const CODE_PX = 7.25;
const ICON_PX = 20;

/** About how many pixels a cell needs to show its text whole; `least`: without what it can do without, the name of an action that has words. */
export function needOf(row: Row, column: Column, words: CellWords, least: boolean): number {
  if (column === 'action') {
    const said = words.described(row);
    const name = row.action.length * CODE_PX;
    if (said === null) return name;
    return said.length * CHARACTER_PX + (least ? 0 : name + CODE_PX);
  }
  if (column === 'resource')
    return row.resourceName ? row.resourceName.length * CHARACTER_PX : (resourceOf(row).length + 1) * CODE_PX;
  if (column === 'actor') {
    const behalf = row.onBehalfOfName ? behalfOf(row).length + 1 : 0;
    const icon = row.onBehalfOfId === null && behalf === 0 ? 0 : ICON_PX;
    return ((actorOf(row) ?? '').length + behalf) * CHARACTER_PX + icon;
  }
  return (textOf(row, column, words)?.length ?? 0) * (isCode(column) ? CODE_PX : CHARACTER_PX);
}

const isCode = (column: Column) => ['action', 'ip', 'request'].includes(column) || isDataColumn(column);
