import { type RawBuilder, sql } from 'kysely';

/**
 * SQL for an actor's name that, folded by foldName, is `folded`. Not lower(), which depends on the database's locale: the
 * letters that the folded name can stand for are replaced one by one.
 */
export function whereNameUnfolded(folded: string): RawBuilder<unknown> {
  // A final sigma is a sigma, whose upper case is the same.
  const name = folded.replaceAll('ς', 'σ');
  const [from, to] = [['ς'], ['σ']];
  for (const letter of new Set(name)) {
    const upper = letter.toUpperCase();
    if (upper === letter || Array.from(upper).length > 1 || upper.toLowerCase() !== letter) continue;
    from.push(upper);
    to.push(letter);
  }
  // The one letter whose lower case is two characters.
  const composed = sql`replace(normalize(actor_name, nfkc), 'İ', ${'İ'.toLowerCase()}::text)`;
  return sql`translate(${composed}, ${from.join('')}::text, ${to.join('')}::text) = ${name}::text`;
}
