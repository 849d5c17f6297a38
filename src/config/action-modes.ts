/** What becomes of entries that are not as registered: they are not looked at, stored and counted, or refused. */
export type ActionMode = 'off' | 'warn' | 'refuse';

/** For modules that are named, and for all others. */
export interface ActionModes {
  readonly others: ActionMode;
  readonly modules: ReadonlyMap<string, ActionMode>;
}

export const modeOf = ({ others, modules }: ActionModes, module: string): ActionMode =>
  modules.get(module) ?? others;

/** `warn,billing=refuse`; null for anything else. The default of others is warn. */
export function parseActionModes(items: readonly string[]): ActionModes | null {
  let others: ActionMode | null = null;
  const modules = new Map<string, ActionMode>();
  for (const item of items) {
    const at = item.lastIndexOf('=');
    const [module, mode] = [item.slice(0, Math.max(0, at)), item.slice(at + 1).trim()];
    if (!isMode(mode) || module.length > MAX_NAME) return null;
    if (at < 0) {
      if (others !== null) return null;
      others = mode;
    } else {
      const name = module.trim();
      if (name === '' || modules.has(name)) return null;
      modules.set(name, mode);
    }
  }
  return { others: others ?? 'warn', modules };
}

const MAX_NAME = 100;

const isMode = (text: string): text is ActionMode => text === 'off' || text === 'warn' || text === 'refuse';
