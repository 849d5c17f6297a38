import { actorOf, resourceOf } from '../list/cells.js';
import type { Row } from '../list/entries.js';

type Told = Pick<
  Row,
  | 'action'
  | 'actorId'
  | 'actorEmail'
  | 'actorName'
  | 'actorType'
  | 'onBehalfOfId'
  | 'onBehalfOfName'
  | 'resourceType'
  | 'resourceId'
  | 'resourceName'
  | 'outcome'
>;

/** A stretch of a sentence: words of the page's language, or a text as it was recorded. */
export interface Part {
  kind: 'words' | 'who' | 'behalf' | 'action' | 'resource' | 'described';
  text: string;
}

interface Words {
  t: (key: string, named?: Record<string, string>) => string;
  te: (key: string) => boolean;
  /** What the registered action says, where there is one. */
  described: string | null;
  /** Null where the entry's proof, which alone tells, is not known. */
  leafVersion: number | null;
}

/** Placeholders of a message, kept apart from what is recorded, which may look like one. */
const MARK = '\uE000';

/**
 * Who did what to which resource, acting for whom, and how it ended. In entries of leaf version 1 it is on-behalf-of who
 * really acted.
 */
export function sentenceOf(entry: Told, { t, te, described: description, leafVersion }: Words): Part[] {
  const described = description?.trim().replace(/\.$/, '') || null;
  const actor = actorOf(entry) ?? t(`reel.actorTypes.${entry.actorType}`);
  const other = entry.onBehalfOfName ?? entry.onBehalfOfId;
  const isReversed = leafVersion === 1;
  const resource = entry.resourceName ?? (resourceOf(entry) || null);
  const recorded: Record<string, Part> = {
    who: { kind: 'who', text: isReversed && other ? other : actor },
    behalf: { kind: 'behalf', text: (isReversed ? actor : other) ?? '' },
    action: { kind: 'action', text: entry.action },
    words: { kind: 'described', text: described ?? '' },
    resource: { kind: 'resource', text: resource ?? '' },
  };
  const marked = (key: string) =>
    t(key, Object.fromEntries(Object.keys(recorded).map((name) => [name, MARK + name + MARK])));
  const verb = verbOf(entry.action, te);
  const did = described
    ? marked(resource ? 'story.describedOf' : 'story.described')
    : verb && (resource || verb.isWhole)
      ? marked(`story.${verb.isWhole ? 'whole' : 'verbs'}.${verb.key}`) +
        (verb.isWhole ? '' : ` ${MARK}resource${MARK}`)
      : marked(resource ? 'story.didTo' : 'story.did');
  const by = other
    ? marked(leafVersion === null && !entry.onBehalfOfName ? 'story.delegated' : 'story.acting')
    : marked('story.own');
  const lead = described ? `${by.replace(/,$/, '')}:` : by;
  const outcome = entry.outcome && entry.outcome !== 'SUCCESS' ? t(`story.ended.${entry.outcome}`) : '';
  return partsOf(`${lead} ${did}${outcome}.`, recorded);
}

function partsOf(text: string, recorded: Record<string, Part>): Part[] {
  return text
    .split(MARK)
    .map((part, index) => (index % 2 ? recorded[part]! : { kind: 'words' as const, text: part }))
    .filter(({ text }) => text !== '');
}

/** The last word of an action as a verb that the page's language has; `isWhole` says all without a resource. */
function verbOf(action: string, te: (key: string) => boolean): { key: string; isWhole: boolean } | null {
  const last = action
    .split(/[.:/]/)
    .at(-1)!
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll('-', '_');
  // created and issued as well as create and issue.
  for (const key of [last, last.replace(/d$/, ''), last.replace(/ed$/, ''), last.replace(/(.)\1ed$/, '$1')]) {
    if (!/^[a-z_]+$/.test(key)) continue;
    if (te(`story.whole.${key}`)) return { key, isWhole: true };
    if (te(`story.verbs.${key}`)) return { key, isWhole: false };
  }
  return null;
}

/** The same as one text. */
export const textOf = (parts: readonly Part[]) => parts.map(({ text }) => text).join('');
