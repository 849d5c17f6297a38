/** Bounds of a text: characters are Unicode code points, bytes those of UTF-8. */
export interface Bounds {
  characters: number;
  bytes?: number;
}

/** Of an entry's texts as it is reported. */
export const TEXT_BOUNDS = {
  module: { characters: 100 },
  action: { characters: 255 },
  actorId: { characters: 255 },
  actorEmail: { characters: 320 },
  actorName: { characters: 255 },
  onBehalfOfId: { characters: 255 },
  onBehalfOfName: { characters: 255 },
  resourceType: { characters: 100 },
  resourceId: { characters: 1_024, bytes: 2_048 },
  resourceName: { characters: 255 },
  userAgent: { characters: 1_000 },
  requestId: { characters: 255 },
  idempotencyKey: { characters: 200 },
} as const satisfies Record<string, Bounds>;
