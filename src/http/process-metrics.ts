import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { Counter, Gauge, type Registry } from 'prom-client';

/** How often the delay of the event loop is sampled, and so the least that is seen of it, in milliseconds. */
const RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

/** What a registry tells of the process, under the names that Prometheus' clients have for it. */
export function measureProcess(registry: Registry): void {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss());
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, in seconds since 1970.',
    registers,
  }).set(Math.round(Date.now() / 1000 - process.uptime()));
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time used by the process.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  gauge(
    'nodejs_heap_size_used_bytes',
    'Bytes of the heap that are in use.',
    () => process.memoryUsage().heapUsed,
  );
  gauge('nodejs_heap_size_total_bytes', 'Bytes of the heap.', () => process.memoryUsage().heapTotal);
  gauge(
    'nodejs_heap_size_limit_bytes',
    'Bytes that the heap may grow to.',
    () => getHeapStatistics().heap_size_limit,
  );
  gauge(
    'nodejs_external_memory_bytes',
    'Bytes outside the heap that belong to objects in it.',
    () => process.memoryUsage().external,
  );
  measureLoop(registers);
}

/** All are of the time since the scrape before. Nothing is sampled before the first one. */
function measureLoop(registers: Registry[]): void {
  let delays: ReturnType<typeof monitorEventLoopDelay> | null = null;
  const lag = (name: string, help: string, collect?: () => void) =>
    new Gauge({ name: `nodejs_eventloop_lag_${name}_seconds`, help, registers, ...(collect && { collect }) });
  const seconds = (nanoseconds: number): number =>
    delays !== null && delays.count > 0 ? Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1_000) : 0;
  const look = () => {
    if (delays === null) {
      delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      delays.enable();
    }
    median.set(seconds(delays.percentile(50)));
    high.set(seconds(delays.percentile(99)));
    most.set(seconds(delays.max));
    delays.reset();
  };
  // The first one that is asked looks for all.
  const median = lag('p50', 'How late the event loop was, the median.', () => look());
  const high = lag('p99', 'How late the event loop was, the 99th percentile.');
  const most = lag('max', 'How late the event loop was at most.');
  let before = performance.eventLoopUtilization();
  new Gauge({
    name: 'nodejs_eventloop_utilization_ratio',
    help: 'The share of the time in which the event loop was at work.',
    registers,
    collect() {
      const now = performance.eventLoopUtilization();
      this.set(performance.eventLoopUtilization(now, before).utilization || 0);
      before = now;
    },
  });
}
