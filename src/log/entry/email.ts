/** E-mail addresses are compared, and stored a second time, in Unicode's lower case. */
export const foldEmail = (email: string): string => email.toLowerCase();

/** Names of people are compared, and stored a second time, in Unicode's lower case, composed. */
export const foldName = (name: string): string => name.normalize('NFKC').toLowerCase();

/** Columns that hold another one folded, to be searched by. */
export const FOLDED_COLUMNS = [
  { column: 'actor_email_folded', source: 'actor_email', fold: foldEmail },
  { column: 'actor_name_folded', source: 'actor_name', fold: foldName },
] as const;
