/** Follows a tenant's trail over a websocket, and resumes after a lost connection where it was. */
import { setTimeout } from 'node:timers/promises';
import { createClient } from 'graphql-ws';

interface Entry {
  sequence: number;
  action: string;
}

const query = 'subscription ($after: Count) { logAdded(after: $after) { sequence action } }';

/** `after`: the last sequence already seen; 0 is the beginning. Throws what the server refuses. */
export async function* follow(reelUrl: string, token: string, after: number): AsyncGenerator<Entry> {
  for (;;) {
    const client = createClient({
      url: `${reelUrl.replace('http', 'ws')}/graphql`,
      connectionParams: { authorization: `Bearer ${token}` },
      retryAttempts: 0,
    });
    const entries = client.iterate<{ logAdded: Entry }>({ query, variables: { after } });
    try {
      for await (const { data, errors } of entries) {
        if (!data) throw new Error(`${errors?.[0]?.extensions?.code}: ${errors?.[0]?.message}`);
        yield data.logAdded;
        after = data.logAdded.sequence;
      }
    } catch (error) {
      // 44xx is a refusal; with any other close code the connection was lost.
      const { code = 0 } = error as { code?: number };
      if (error instanceof Error || (code >= 4400 && code < 4500)) throw error;
    } finally {
      await client.dispose();
    }
    await setTimeout(1_000);
  }
}
