import type { Reel, ReelStats } from './client.js';

interface Metric {
  reset(): void;
  inc(value: number): void;
}

/** What is needed of prom-client. */
interface PromClient<R> {
  Counter: new (options: MetricOptions<R>) => unknown;
  Gauge: new (options: MetricOptions<R>) => unknown;
}

interface MetricOptions<R> {
  name: string;
  help: string;
  registers?: R[];
  collect(this: Metric): void;
}

const METRICS: [keyof ReelStats, 'Counter' | 'Gauge', string, string][] = [
  ['spooled', 'Gauge', 'reel_client_spooled_entries', 'Entries that wait to be sent'],
  ['oldestSeconds', 'Gauge', 'reel_client_oldest_seconds', 'How long the oldest of them waits'],
  ['sent', 'Counter', 'reel_client_sent_total', 'Entries that the server has stored'],
  ['rejected', 'Counter', 'reel_client_rejected_total', 'Entries that were faulty, or refused for good'],
  ['dropped', 'Counter', 'reel_client_dropped_total', 'Entries that there was no room for'],
];

/** Registers what `reel.stats()` answers with prom-client, whose module is given: `registerMetrics(await import('prom-client'), reel)`. */
export function registerMetrics<R>(prom: PromClient<R>, reel: Pick<Reel, 'stats'>, registers?: R[]): void {
  for (const [figure, kind, name, help] of METRICS)
    new prom[kind]({
      name,
      help,
      ...(registers && { registers }),
      collect() {
        this.reset();
        this.inc(reel.stats()[figure]);
      },
    });
}
