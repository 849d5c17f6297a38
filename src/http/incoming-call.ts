/** What is read of an HTTP request; Node's IncomingMessage (Fastify's `request.raw`) fits. */
export interface IncomingCall {
  /** Names and values in turn, as they came: only here a header that comes twice can be seen. */
  readonly rawHeaders: readonly string[];
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** Every value of a header, its name in lower case. */
export function headerValues({ rawHeaders }: IncomingCall, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const each = rawHeaders[at]!;
    if (each.length === name.length && each.toLowerCase() === name) values.push(rawHeaders[at + 1]!.trim());
  }
  return values;
}

/** Names in lower case, each with its value. */
export function headerPairs(rawHeaders: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    found.push([rawHeaders[at]!.toLowerCase(), rawHeaders[at + 1]!]);
  return found;
}
