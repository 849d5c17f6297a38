/** What kind of actor acted. Plain text, so that a host may write 'ANONYMOUS' as well as ActorType.ANONYMOUS. */
export const ActorType = {
  USER: 'USER',
  SERVICE: 'SERVICE',
  AGENT: 'AGENT',
  SYSTEM: 'SYSTEM',
  ANONYMOUS: 'ANONYMOUS',
} as const;
export type ActorType = (typeof ActorType)[keyof typeof ActorType];

/** Stored as the index in this list, as severities are. */
export const ACTOR_TYPES = Object.values(ActorType);
