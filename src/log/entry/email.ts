/** E-mail addresses are compared, and stored a second time, in Unicode's lower case. */
export const foldEmail = (email: string): string => email.toLowerCase();

/** Names of people are compared, and stored a second time, in Unicode's lower case, composed. */
export const foldName = (name: string): string => name.normalize('NFKC').toLowerCase();
