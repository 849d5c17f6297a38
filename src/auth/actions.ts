import type { MentorScope } from './grant.js';

/** A Mentor action as data. The keys are translated by web/reel's locales. */
export interface ReelAction {
  readonly code: string;
  readonly scopes: readonly MentorScope[];
  readonly labelKey: string;
  readonly descriptionKey: string;
  /** Registered ahead of its use; nothing asks for it yet. */
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

/** The actions that Mentor has to know for Reel. */
export const REEL_ACTIONS: readonly ReelAction[] = Object.freeze([
  action('view', ['ACCOUNT', 'CLIENT']),
  action('export', ['CLIENT']),
  action('filter', ['ACCOUNT', 'CLIENT'], true),
]);

/** Port: where a host keeps the actions that it can grant, Mentor's registry or its own. */
export interface ActionRegistry<T = unknown> {
  register(actions: readonly ReelAction[]): T;
}

/** Hands Reel's actions to a host's registry; answers what the registry answers. */
export function registerReelActions<T>(registry: ActionRegistry<T>): T {
  return registry.register(REEL_ACTIONS);
}
