/** E-mail addresses are compared, and stored a second time, in Unicode's lower case. */
export const foldEmail = (email: string): string => email.toLowerCase();
