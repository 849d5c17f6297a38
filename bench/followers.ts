/** A process with some of the followers of following.ts: opens them, counts what they receive, and reports at the end. */
import { WebSocket } from 'ws';

/** What to follow; `actions` has one action per follower, null for one who follows everything. */
export interface Assignment {
  url: string;
  authorization: string;
  query: string;
  actions: (string | null)[];
  /** The time of arrival is recorded for entries whose number is a multiple of this. */
  sampled: number;
}

export interface Report {
  /** Entries that each follower received. */
  counts: number[];
  /** Entries that arrived twice or out of assignment, and sequences that followers of everything missed. */
  faults: number;
  /** Numbers of sampled entries, and when each arrived, in milliseconds of the epoch. */
  numbers: number[];
  arrivals: number[];
}

const now = () => performance.timeOrigin + performance.now();

function follow(assignment: Assignment, action: string | null, report: Report, index: number): Promise<void> {
  const { url, authorization, query, sampled } = assignment;
  const socket = new WebSocket(url, 'graphql-transport-ws', { perMessageDeflate: false });
  let last = 0;
  const take = (text: string) => {
    const start = text.indexOf('"sequence":') + 11;
    const sequence = Number.parseInt(text.slice(start, start + 12), 10);
    if (action === null ? sequence !== last + 1 : sequence <= last) report.faults += 1;
    last = sequence;
    report.counts[index]! += 1;
    const at = text.indexOf('"resourceId":"') + 14;
    const number = Number.parseInt(text.slice(at, at + 12), 10);
    if (number % sampled !== 0) return;
    report.numbers.push(number);
    report.arrivals.push(now());
  };
  return new Promise((ready, fail) => {
    socket.on('error', fail);
    socket.on('close', (code) => {
      if (code !== 1005) report.faults += 1;
    });
    socket.on('open', () =>
      socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: authorization } })),
    );
    socket.on('message', (message: Buffer) => {
      const text = message.toString('latin1');
      if (text.includes('"sequence":')) return take(text);
      if (!text.includes('"connection_ack"')) return fail(new Error(text.slice(0, 300)));
      const variables = { after: 0, filter: action === null ? {} : { actions: [action] } };
      socket.send(JSON.stringify({ id: `${index}`, type: 'subscribe', payload: { query, variables } }));
      ready();
    });
    process.once('disconnect', () => socket.terminate());
  });
}

const report: Report = { counts: [], faults: 0, numbers: [], arrivals: [] };
process.setMaxListeners(0);
process.on('message', async (message: Assignment | 'count' | 'report') => {
  if (message === 'count') process.send!(report.counts.reduce((sum, count) => sum + count, 0));
  else if (message === 'report') process.send!(report);
  else {
    report.counts = message.actions.map(() => 0);
    for (let from = 0; from < message.actions.length; from += 50)
      await Promise.all(
        message.actions
          .slice(from, from + 50)
          .map((action, index) => follow(message, action, report, from + index)),
      );
    process.send!('ready');
  }
});
