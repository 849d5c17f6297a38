import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.js';
import { health } from '../../src/http/health.js';
import { createMetrics } from '../../src/http/metrics.js';
import { freePort } from '../support/free-port.js';
import { startReel } from '../support/reel.js';

async function open(unready: () => Promise<string | null>, metrics = createMetrics()) {
  const app = Fastify();
  await app.register(health, { unready, metrics });
  app.get('/logs/:id', async () => ({}));
  await app.ready();
  return { app, metrics };
}

describe('health', () => {
  it('is live always, and ready once it is', async () => {
    let reason: string | null = 'read-only';
    const { app } = await open(async () => reason);
    expect((await app.inject('/health/live')).statusCode).toBe(200);
    const { statusCode, body } = await app.inject('/health/ready');
    expect({ statusCode, body }).toEqual({
      statusCode: 503,
      body: '{"status":"unavailable","reason":"read-only"}',
    });
    reason = null;
    expect((await app.inject('/health/ready')).statusCode).toBe(200);
    await app.close();
  });

  it('is not ready when asking fails, and says no more of why than a word', async () => {
    const { app } = await open(() => Promise.reject(new Error('password authentication failed')));
    const { statusCode, body } = await app.inject('/health/ready');
    expect({ statusCode, body }).toEqual({
      statusCode: 503,
      body: '{"status":"unavailable","reason":"database"}',
    });
    await app.close();
  });
});

describe('metrics', () => {
  it('counts by route pattern and never by what stands in an address', async () => {
    const { app, metrics } = await open(async () => null);
    metrics.entriesWritten.inc(3);
    metrics.batchEntries.observe(3);
    metrics.watch({ writeQueueLength: () => 7, sequencerLagSeconds: async () => 0.25 });
    await app.inject({ url: '/logs/0196f2f0-0000-7000-8000-00000000a001?token=secret' });
    await app.inject({ url: '/nowhere/0196f2f0-0000-7000-8000-00000000a001' });
    const { body, headers } = await app.inject('/metrics');
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toContain('reel_http_request_seconds_count{method="GET",route="/logs/:id",status="200"} 1');
    expect(body).toContain('reel_http_request_seconds_count{method="GET",route="none",status="404"} 1');
    expect(body).toContain('reel_entries_written_total 3\n');
    expect(body).toContain('reel_write_batch_entries_count 1\n');
    expect(body).toContain('reel_write_queue_entries 7\n');
    expect(body).toContain('reel_sequencer_lag_seconds 0.25\n');
    expect(body).not.toMatch(/0196f2f0|secret/);
    await app.close();
  });

  it('does not answer where metrics are off', async () => {
    const app = Fastify();
    await app.register(health, { unready: async () => null, metrics: null });
    expect((await app.inject('/metrics')).statusCode).toBe(404);
    await app.close();
  });

  it('are on a port of their own where one is given, which serves nothing else', async () => {
    const port = await freePort();
    const reel = await startReel({ REEL_METRICS_PORT: String(port), REEL_METRICS: 'off' });
    const statusOf = async (url: string) => (await fetch(url)).status;
    try {
      const measures = `http://127.0.0.1:${port}`;
      expect(await statusOf(`${reel.url}/health/live`)).toBe(200);
      const response = await fetch(`${measures}/metrics`);
      expect(await response.text()).toContain(
        'reel_http_request_seconds_count{method="GET",route="/health/live",status="200"} 1',
      );
      for (const url of [`${reel.url}/metrics`, `${measures}/health/live`, `${measures}/graphql`])
        expect([url, await statusOf(url)]).toEqual([url, 404]);
      await expect(startReel({ REEL_METRICS_PORT: String(port) })).rejects.toThrow(
        `REEL_METRICS_PORT: expected a free port, got ${port}, which is in use`,
      );
    } finally {
      await reel.close();
    }
    await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
    expect(() => readConfig({ REEL_PORT: '4000', REEL_METRICS_PORT: '4000' })).toThrow(
      'REEL_METRICS_PORT: expected a port other than REEL_PORT, got 4000',
    );
  });

  it('keeps two servers apart', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.entriesWritten.inc(5);
    expect(await other.registry.metrics()).toContain('reel_entries_written_total 0\n');
  });
});
