/**
 * A request's URL as it may be logged: the names in its query without their values, which are what somebody looks for, or
 * the token of an export link.
 */
export function loggedUrl(url: string): string {
  const query = url.search(/[?#]/);
  if (query < 0) return url;
  const names = url
    .slice(query + 1)
    .split('&')
    .map((each) => (each.includes('=') ? `${each.slice(0, each.indexOf('='))}=…` : '…'));
  return `${url.slice(0, query)}?${names.join('&')}`;
}
