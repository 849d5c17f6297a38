import type { MentorScope } from './grant.js';

/** A Mentor action as data; web/reel's locales translate the keys. */
export interface ReelAction {
  readonly code: string;
  readonly scopes: readonly MentorScope[];
  readonly labelKey: string;
  readonly descriptionKey: string;
  /** Registered for later use; nothing requires it yet. */
  readonly reserved: boolean;
}

const action = (code: string, scopes: readonly MentorScope[], reserved = false): ReelAction => {
  const key = code.replace('reel.', 'reel.actions.').replace(/\.(?=\w+$)/, '_');
  return Object.freeze({
    code,
    scopes: Object.freeze([...scopes]),
    labelKey: `${key}.label`,
    descriptionKey: `${key}.description`,
    reserved,
  });
};

export const VIEW = 'reel.logs.view';
export const EXPORT = 'reel.logs.export';
export const MANAGE_STREAMS = 'reel.streams.manage';

/** The actions that a host registers with Mentor. */
export const REEL_ACTIONS: readonly ReelAction[] = Object.freeze([
  action(VIEW, ['ACCOUNT', 'CLIENT']),
  action(EXPORT, ['CLIENT']),
  action('reel.logs.filter', ['ACCOUNT', 'CLIENT'], true),
  action(MANAGE_STREAMS, ['ACCOUNT']),
]);

/** Where a host registers the actions that it can grant: Mentor's registry or its own. */
export interface ActionRegistry<T = unknown> {
  register(actions: readonly ReelAction[]): T;
}

/** Registers Reel's actions; returns what the registry returns. */
export function registerReelActions<T>(registry: ActionRegistry<T>): T {
  return registry.register(REEL_ACTIONS);
}
