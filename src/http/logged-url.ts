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

/** What is logged of a request, by Reel's own server and within a host's. */
export const loggedRequest = (request: { method: string; url: string; id: string }) => ({
  id: request.id,
  method: request.method,
  url: loggedUrl(request.url),
});
