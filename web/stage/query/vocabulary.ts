import { shallowRef } from 'vue';
import { type DataStep, printDataPath } from '../../../src/query-line/data-path.js';
import { askReel } from '../../reel/index.js';
import {
  ActionsDocument,
  type ActionsQuery,
  DataSampleDocument,
  PeopleDocument,
  VocabularyDocument,
  type VocabularyQuery,
} from '../generated.js';

type Counted = { key: string | null; label?: string | null; count: number };

/** What occurs in this tenant. */
export type Vocabulary = VocabularyQuery['logStats'] & {
  /** Paths to values in the data of the newest entries, as `data.<path>` has them. */
  paths: readonly string[];
  /** What modules registered of their actions, whether they occur or not. */
  registered: readonly Registered[];
};

export type Registered = ActionsQuery['actions'][number];

const MAX_PATHS = 200;
const MAX_DEPTH = 6;
const PAUSE_MS = 150;
const LEAST_LETTERS = 2;

/** The modules, actions, people, resource types and paths in data of this tenant, of whichever client, for completion. Null until they are loaded, or where that fails. */
export function useVocabulary(withClient: <T>(client: null, start: () => T) => T) {
  const vocabulary = shallowRef<Vocabulary | null>(null);
  const descriptions = shallowRef<ReadonlyMap<string, string>>(new Map());
  /** Whether it was asked for and answered, even if by a failure. */
  const isKnown = shallowRef(false);
  let begun: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let controller: AbortController | undefined;
  const looked = new Set<string>();

  /** Anew, for who is signed in now. */
  const load = (): Promise<void> => {
    begun = ask();
    return begun;
  };
  /** Unless it was asked for already. */
  const ensure = (): Promise<void> => begun ?? load();

  /** What the actions are registered as: few words, which the list shows. */
  async function describe(): Promise<readonly Registered[]> {
    const registered = await askReel(ActionsDocument, {}).then(
      ({ actions }) => actions,
      () => [],
    );
    descriptions.value = new Map(
      registered.flatMap(({ module, action, description }) =>
        description ? [[nameOf({ module, action }), description]] : [],
      ),
    );
    return registered;
  }

  async function ask(): Promise<void> {
    looked.clear();
    const [counted, sample, registered] = await withClient(null, () =>
      Promise.all([
        askReel(VocabularyDocument, {}).then(
          ({ logStats }) => logStats,
          () => null,
        ),
        askReel(DataSampleDocument, {}).then(
          ({ logs }) => logs.nodes.map(({ data }) => data),
          () => [],
        ),
        describe(),
      ]),
    );
    // Completion then offers fields and severities only.
    if (counted) vocabulary.value = { ...counted, paths: pathsOf(sample), registered };
    isKnown.value = true;
  }

  /** Looks for people beside the most frequent ones, when typing pauses. */
  function lookForPeople(text: string): void {
    clearTimeout(timer);
    controller?.abort();
    const wanted = text.toLowerCase();
    if (wanted.length < LEAST_LETTERS || looked.has(wanted)) return;
    timer = setTimeout(async () => {
      controller = new AbortController();
      try {
        const { signal } = controller;
        const variables = { filter: { search: wanted } };
        const { logStats } = await withClient(null, () => askReel(PeopleDocument, variables, signal));
        looked.add(wanted);
        if (vocabulary.value) vocabulary.value = withPeople(vocabulary.value, logStats.actors);
      } catch {
        // The people known so far are offered.
      }
    }, PAUSE_MS);
  }

  /** What the registered action of an entry says. Null where it is not registered, or without words. */
  const described = (entry: { module: string; action: string }) =>
    descriptions.value.get(nameOf(entry)) ?? null;

  /** The same of an action of whichever module; null where two modules say different things. */
  const describedAs = (action: string) => {
    const said = new Set(
      vocabulary.value?.registered.flatMap((each) => (each.action === action ? [each.description] : [])),
    );
    return said.size === 1 ? [...said][0]! : null;
  };

  return { vocabulary, isKnown, descriptions, described, describedAs, describe, load, ensure, lookForPeople };
}

/** Neither holds a line break. */
const nameOf = ({ module, action }: { module: string; action: string }) => `${module}\n${action}`;

function withPeople(vocabulary: Vocabulary, found: readonly Counted[]): Vocabulary {
  const known = new Set(vocabulary.actors.map(({ key }) => key));
  const added = found.filter(({ key }) => key !== null && !known.has(key));
  return { ...vocabulary, actors: [...vocabulary.actors, ...(added as Vocabulary['actors'])] };
}

/** The paths that lead to single values, most frequent first. */
export function pathsOf(sample: readonly unknown[]): string[] {
  const counts = new Map<string, number>();
  const walk = (value: unknown, steps: readonly DataStep[]): void => {
    if (steps.length > MAX_DEPTH || counts.size > 10 * MAX_PATHS) return;
    if (Array.isArray(value)) for (const item of value) walk(item, [...steps, { anyItem: true }]);
    else if (typeof value === 'object' && value !== null)
      for (const [key, child] of Object.entries(value)) walk(child, [...steps, { key }]);
    else if (steps.length > 0) {
      const path = printDataPath(steps);
      counts.set(path, (counts.get(path) ?? 0) + 1);
    }
  };
  for (const data of sample) if (typeof data === 'object' && !Array.isArray(data)) walk(data, []);
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .slice(0, MAX_PATHS)
    .map(([path]) => path);
}
