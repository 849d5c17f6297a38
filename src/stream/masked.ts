import type { Outcome } from './kinds/outcome.js';

/** Shorter ones would be found in what has nothing to do with them. */
const SHORTEST = 4;
/** Of what follows a scheme or a user's name in a credential: as long, no scheme is taken for it. */
const SHORTEST_PART = 8;
const MASK = '***';

/** What a receiver says, without what it was sent that is secret: some answer with the request's headers. */
export function maskedOutcome(outcome: Outcome, secrets: readonly string[]): Outcome {
  const masked = masking(secrets);
  if (outcome.kind !== 'done') return { ...outcome, answer: masked(outcome.answer) };
  return {
    ...outcome,
    answer: masked(outcome.answer),
    ...(outcome.refused && {
      refused: outcome.refused.map((each) => ({ ...each, reason: masked(each.reason) })),
    }),
  };
}

function masking(secrets: readonly string[]): (text: string) => string {
  const known = [...new Set(secrets.flatMap(partsOf).flatMap(spellingsOf))]
    .filter((each) => each.length >= SHORTEST)
    .sort((a, b) => b.length - a.length);
  return (text) => {
    const whole = known.reduce((rest, each) => rest.replaceAll(each, MASK), text);
    return known.reduce(withoutBeginning, whole);
  };
}

/** A secret, and of `Bearer token` and `user:password` the token and the password, which some receivers name alone. */
const partsOf = (secret: string): string[] => {
  const last = /[\s:]([^\s:]+)$/.exec(secret)?.[1] ?? '';
  return last.length >= SHORTEST_PART ? [secret, last] : [secret];
};

/** As it is, as JSON has it, and in base64, each as answers are kept: without line breaks. */
const spellingsOf = (secret: string): string[] =>
  [secret, JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString('base64')].map((each) =>
    each.replace(/[\p{Cc}\s]+/gu, ' ').trim(),
  );

/** An answer that was cut may end with the beginning of a secret. */
function withoutBeginning(text: string, secret: string): string {
  if (!text.endsWith('…')) return text;
  const shown = text.slice(0, -1);
  for (let length = Math.min(secret.length - 1, shown.length); length >= SHORTEST; length -= 1)
    if (shown.endsWith(secret.slice(0, length))) return `${shown.slice(0, -length)}${MASK}…`;
  return text;
}
