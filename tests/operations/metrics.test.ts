import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parser } from '@prometheus-io/lezer-promql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { pageText } from '../docs/pages.js';
import { moduleToken, person, startReel, type TestReel, viewer } from '../support/reel.js';

const example = (name: string) =>
  readFileSync(new URL(`../../docs/examples/${name}`, import.meta.url), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}
interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: Record<'x' | 'y' | 'w' | 'h', number>;
  targets?: { expr: string; refId: string }[];
}

const rules = (parse(example('reel.rules.yml')) as { groups: { name: string; rules: Rule[] }[] }).groups;
const alarms = rules.flatMap((group) => group.rules);
const dashboard = JSON.parse(example('reel-dashboard.json')) as {
  uid: string;
  schemaVersion: number;
  panels: Panel[];
  templating: { list: { name: string; query: string }[] };
};
const targets = dashboard.panels.flatMap((panel) => panel.targets ?? []);
/** As Grafana would send it. */
const expressions = [
  ...alarms.map(({ expr }) => expr),
  ...targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$job', 'reel')),
];

/** Nodes of that name in an expression's syntax tree, as text. Errors: Error where it is none of PromQL's. */
function nodesOf(expression: string, name: string): string[] {
  const found: string[] = [];
  parser.parse(expression).iterate({
    enter: (node) => {
      if (node.type.isError) throw new Error(`expected PromQL, got ${expression} (at ${node.from})`);
      if (node.name === name) found.push(expression.slice(node.from, node.to));
    },
  });
  return found;
}

const OF_PROMETHEUS = ['up'];

const TENANT = randomUUID();
let reel: TestReel;
let text: string;
let noted: string[];
const witness = createServer((request, response) => {
  request.setEncoding('utf8');
  let note = '';
  request.on('data', (piece: string) => (note += piece));
  request.on('end', () => {
    noted.push(note);
    response.end();
  });
});
const scrape = async () => (await fetch(`${reel.url}/metrics`)).text();
const figure = (name: string): number => {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
  return Number(line?.split(' ').at(-1));
};

beforeAll(async () => {
  noted = [];
  await new Promise<void>((listening) => void witness.listen(0, '127.0.0.1', listening));
  const { port } = witness.address() as AddressInfo;
  reel = await startReel({ REEL_WITNESS_URL: `http://127.0.0.1:${port}/` });
  await scrape();
  const entry = { module: 'billing', action: 'invoices.issue', tenant_id: TENANT };
  const module = await moduleToken('billing');
  expect((await reel.rest(module, 'POST', '/logs', entry)).status).toBe(201);
  await reel.rest(module, 'POST', '/logs', { ...entry, module: 'other' });
  await reel.rest(module, 'POST', '/logs', 'text', { 'content-type': 'text/plain' });
  await reel.rest('x', 'GET', '/logs');
  await reel.graphql(await person(), '{ logs { nodes { id } } }');
  await reel.graphql(await viewer(TENANT), '{ nothing }');
  const accepted = async () => {
    text = await scrape();
    expect(noted).toHaveLength(1);
    expect(figure('reel_witness_last_accepted_timestamp_seconds')).toBeGreaterThan(0);
  };
  await vi.waitFor(accepted, { timeout: 60_000, interval: 100 });
});
afterAll(async () => {
  await reel?.close();
  witness.close();
});

describe('a server', () => {
  test('names and describes each metric as Prometheus does', () => {
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => ({
      name: name!,
      type: type!,
    }));
    expect(types.length).toBeGreaterThan(30);
    for (const { name, type } of types) {
      expect(name).toMatch(/^(?:reel|process|nodejs)(?:_[a-z0-9]+)+$/);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      expect([name, /_(?:ms|milliseconds|minutes|kb|mb|percent)(?:_|$)/.test(name)]).toEqual([name, false]);
      expect(text).toMatch(new RegExp(`^# HELP ${name} [A-Z1].{10,}\\.$`, 'm'));
    }
  });

  test('tells what has become of what it was asked', () => {
    const now = Date.now() / 1_000;
    expect(figure('reel_entries_written_total')).toBe(1);
    expect(figure('reel_write_batch_seconds_count')).toBeGreaterThanOrEqual(1);
    expect(figure('reel_ready')).toBe(1);
    expect(figure('reel_checkpoints_total')).toBe(1);
    for (const name of ['reel_last_checkpoint', 'reel_witness_last_accepted'])
      expect(Math.abs(now - figure(`${name}_timestamp_seconds`))).toBeLessThan(120);
    expect(figure('reel_witness_waiting_checkpoints')).toBe(0);
    expect(figure('reel_witness_lag_seconds')).toBe(0);
    expect(figure('reel_database_connections_max{pool="reading"}')).toBe(10);
    expect(figure('nodejs_eventloop_utilization_ratio')).toBeGreaterThan(0);
    expect(figure('nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(0);
    expect(figure('nodejs_heap_size_used_bytes')).toBeGreaterThan(1e6);
    expect(figure('nodejs_heap_size_limit_bytes')).toBeGreaterThan(figure('nodejs_heap_size_used_bytes'));
  });

  test('counts each refusal once, by its reason', () => {
    const counted = [...text.matchAll(/^reel_refusals_total\{reason="(\w+)"\} (\d+)$/gm)];
    expect(Object.fromEntries(counted.map(([, reason, count]) => [reason, Number(count)]))).toEqual({
      forbidden: 2,
      http_415: 1,
      unauthenticated: 1,
      bad_user_input: 1,
    });
  });

  test('names no tenant', () => {
    expect(text).not.toContain(TENANT);
  });
});

describe('every expression of the alarms and of the dashboard', () => {
  test.each([...new Set(expressions)])('%s', (expression) => {
    const names = nodesOf(expression, 'Identifier').filter(
      (name) => !/^(?:le|reason|route|module|what)$/.test(name),
    );
    const known = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name!],
    );
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect([...known, ...OF_PROMETHEUS]).toContain(name);
  });

  test('names labels that there are', () => {
    const labels = new Set(
      [
        ...readFileSync(new URL('../../src/http/metrics.ts', import.meta.url), 'utf8').matchAll(
          /labelNames: \[([^\]]+)\]/g,
        ),
      ].flatMap(([, list]) => list!.split(/[', ]+/).filter(Boolean)),
    );
    for (const expression of expressions)
      for (const label of nodesOf(expression, 'LabelName'))
        expect([...labels, 'le', 'job', 'instance']).toContain(label);
  });
});

describe('the alarms', () => {
  test('have what Prometheus needs', () => {
    expect(rules.map(({ name }) => name)).toEqual(['reel']);
    expect(new Set(alarms.map(({ alert }) => alert)).size).toBe(alarms.length);
    for (const alarm of alarms) {
      expect(alarm.alert).toMatch(/^Reel[A-Z]\w+$/);
      expect(['critical', 'warning', 'info']).toContain(alarm.labels.severity);
      expect(alarm.annotations.summary).toMatch(/^\S.{10,}$/);
      if (alarm.for !== undefined) expect(alarm.for).toMatch(/^\d+[smh]$/);
      expect(
        Object.keys(alarm).filter((key) => !['alert', 'expr', 'for', 'labels', 'annotations'].includes(key)),
      ).toEqual([]);
    }
  });

  test('stand in docs/operations.md, each with what to do', () => {
    const rows = pageText('docs/operations.md').match(/^\| `Reel[^|]+\|/gm) ?? [];
    const named = rows.flatMap((row) => [...row.matchAll(/`(\w+)`/g)].map(([, name]) => name!));
    expect([...new Set(named)].sort()).toEqual(alarms.map(({ alert }) => alert).sort());
  });

  test('are silent about a server that is well', () => {
    // What they compare with nothing but a number, evaluated as it stands.
    for (const { expr } of alarms) {
      const [, name, sign, bound] = /^(?:max\()?(reel_\w+)\)? (>|==|!=) (\d+)$/.exec(expr) ?? [];
      if (name === undefined) continue;
      const isRaised = {
        '>': figure(name) > Number(bound),
        '==': figure(name) === Number(bound),
        '!=': figure(name) !== Number(bound),
      };
      expect([expr, isRaised[sign as '>']]).toEqual([expr, false]);
    }
  });
});

test('the dashboard has panels that do not overlap, each with an id of its own', () => {
  const { panels } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  for (const { type, targets: asked, gridPos } of panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    expect(asked === undefined).toBe(type === 'row');
  }
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'job']);
});
