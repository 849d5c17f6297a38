import type { Allowance } from '../errors.js';

/** RateLimit-Policy and RateLimit of draft-ietf-httpapi-ratelimit-headers-10. */
export const rateLimitHeaders = ({ name, limit, windowSeconds, remaining, resetSeconds }: Allowance) => ({
  'ratelimit-policy': `"${name}";q=${limit};w=${windowSeconds}`,
  ratelimit: `"${name}";r=${remaining};t=${resetSeconds}`,
});
