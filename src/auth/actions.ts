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

const action = (verb: string, scopes: readonly MentorScope[], reserved = false): ReelAction =>
  Object.freeze({
    code: `reel.logs.${verb}`,
    scopes: Object.freeze([...scopes]),
    labelKey: `reel.actions.logs_${verb}.label`,
    descriptionKey: `reel.actions.logs_${verb}.description`,
    reserved,
  });

export const VIEW = 'reel.logs.view';
export const EXPORT = 'reel.logs.export';

/** The actions that a host registers with Mentor. */
export const REEL_ACTIONS: readonly ReelAction[] = Object.freeze([
  action('view', ['ACCOUNT', 'CLIENT']),
  action('export', ['CLIENT']),
  action('filter', ['ACCOUNT', 'CLIENT'], true),
]);

/** Where a host registers the actions that it can grant: Mentor's registry or its own. */
export interface ActionRegistry<T = unknown> {
  register(actions: readonly ReelAction[]): T;
}

/** Registers Reel's actions; returns what the registry returns. */
export function registerReelActions<T>(registry: ActionRegistry<T>): T {
  return registry.register(REEL_ACTIONS);
}
