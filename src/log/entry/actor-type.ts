/** What kind of actor acted. */
export enum ActorType {
  USER = 'USER',
  SERVICE = 'SERVICE',
  AGENT = 'AGENT',
  SYSTEM = 'SYSTEM',
  ANONYMOUS = 'ANONYMOUS',
}

/** Stored as the index in this list. */
export const ACTOR_TYPES = Object.values(ActorType);
