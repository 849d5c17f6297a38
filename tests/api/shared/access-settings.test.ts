import { exportPKCS8, generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ELSEWHERE, entryWith, FIRST, report, SECOND, status, TENANT } from '../../support/access.js';
import {
  grant,
  JWT_SECRET,
  moduleToken,
  person,
  SERVICE_SECRET,
  startReel,
  type TestReel,
  viewer,
} from '../../support/reel.js';

let reel: TestReel;
beforeAll(async () => {
  // What Reel writes about readers would be counted with the rest.
  reel = await startReel({ REEL_AUDIT_READS: 'off' });
  for (const client_id of [null, FIRST, FIRST, SECOND]) await report(reel, { client_id });
  await report(reel, { tenant_id: ELSEWHERE });
});
afterAll(() => reel.close());

describe('the settings of a server in production', () => {
  let strict: TestReel;
  beforeAll(async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    strict = await startReel({
      REEL_ENV: 'production',
      REEL_AUDIT_READS: 'off',
      REEL_SIGNING_KEY: await exportPKCS8(privateKey),
      REEL_ORIGIN: 'reel.example.com',
      REEL_BROWSER_ENTRIES_PER_MINUTE: '4',
      REEL_TRUST_PROXY: '127.0.0.0/8,10.0.0.0/8',
      REEL_ALLOWED_ORIGINS: 'https://app.example.com',
      REEL_EXPORT_LINK_MINUTES: '5',
      REEL_MAX_EXPORT_RECORDS: '2',
      REEL_DEFAULT_PAGE_SIZE: '2',
      REEL_MAX_PAGE_SIZE: '3',
    });
  });
  afterAll(() => strict.close());

  it('REEL_BROWSER_ENTRIES_PER_MINUTE counts each person on both wires', async () => {
    const [busy, quiet] = [await person({ tenants: [TENANT] }), await person({ tenants: [TENANT] })];
    for (let at = 0; at < 2; at++) expect(await status(strict, busy, 'create')).toBe(201);
    expect(await status(strict, busy, 'create')).toBe(429);
    expect(await status(strict, quiet, 'create')).toBe(201);
    const token = await moduleToken();
    for (let at = 0; at < 3; at++)
      expect(await status(strict, token, 'create', {}, { tenant_id: TENANT })).toBe(201);
  });

  it('REEL_TRUST_PROXY says whose X-Forwarded-For is believed', async () => {
    const forwarded = { 'x-forwarded-for': '6.6.6.6, 203.0.113.9, 10.1.2.3' };
    expect((await entryWith(strict, forwarded)).ip_address).toBe('203.0.113.9');
    expect((await entryWith(reel, forwarded)).ip_address).toBe('127.0.0.1');
    expect((await entryWith(strict, { 'x-forwarded-for': 'garbage' })).ip_address).toBe('127.0.0.1');
    expect((await entryWith(strict, { 'x-forwarded-for': '2001:DB8::1' })).ip_address).toBe('2001:db8::1');
  });

  it('REEL_ALLOWED_ORIGINS are exact', async () => {
    const ask = async (at: TestReel, origin: string, method: string, path: string) => {
      const { headers } = await fetch(at.url + path, {
        method,
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,x-tenant-id,content-type',
        },
      });
      return headers.get('access-control-allow-origin');
    };
    for (const path of ['/graphql', '/api/v1/reel/logs']) {
      expect(await ask(strict, 'https://app.example.com', 'OPTIONS', path)).toBe('https://app.example.com');
      for (const origin of [
        'https://app.example.com.evil.example',
        'http://app.example.com',
        'https://app.example.com:444',
        'null',
      ])
        expect(await ask(strict, origin, 'OPTIONS', path)).toBeNull();
      expect(await ask(reel, 'https://app.example.com', 'OPTIONS', path)).toBeNull();
      expect(await ask(strict, 'https://app.example.com', 'GET', path)).toBe('https://app.example.com');
    }
  });

  it('page sizes hold on REST and by default on GraphQL', async () => {
    const token = await viewer(TENANT);
    for (let at = 0; at < 4; at++) await report(strict, {});
    const list = await strict.rest(token, 'GET', '/logs');
    expect(list.body).toMatchObject({ page_size: 2, items: [{}, {}] });
    expect((await strict.rest(token, 'GET', '/logs?page_size=4')).status).toBe(422);
    expect((await strict.rest(token, 'GET', '/logs?page_size=3')).body.items).toHaveLength(3);
    expect((await strict.graphql(token, '{ logs { nodes { id } } }')).body.data.logs.nodes).toHaveLength(2);
  });

  it('REEL_EXPORT_LINK_MINUTES and REEL_MAX_EXPORT_RECORDS bound an export', async () => {
    const token = await person({ grants: [grant(TENANT, `reel.logs.export:CLIENT:${FIRST}`)] });
    for (let at = 0; at < 2; at++) await report(strict, { client_id: FIRST });
    const made = await strict.rest(token, 'POST', '/logs/export', {});
    expect(made.body.record_count).toBe(2);
    const left = Date.parse(made.body.expires_at) - Date.now();
    expect(left).toBeGreaterThan(4 * 60_000);
    expect(left).toBeLessThanOrEqual(5 * 60_000);
    await report(strict, { client_id: FIRST });
    const tooMany = await strict.rest(token, 'POST', '/logs/export', {});
    // Either refused with the limit named, or cut to it.
    if (tooMany.status === 200) expect(tooMany.body.record_count).toBe(2);
    else expect(tooMany).toMatchObject({ status: 422 });
  });

  it('production shows neither playground, metrics nor schema', async () => {
    for (const path of ['/playground', '/playground/', '/metrics'])
      expect((await fetch(strict.url + path)).status).toBe(404);
    const token = await viewer(TENANT);
    const schema = await strict.graphql(token, '{ __schema { queryType { name } } }');
    expect(schema.body.data).toBeUndefined();
    const typo = await strict.graphql(token, '{ logz { nodes { id } } }');
    expect(JSON.stringify(typo.body)).not.toMatch(/did you mean/i);
  });

  it('REEL_BROWSER_LOGGING=off closes createLog to people alone', async () => {
    const closed = await startReel({ REEL_BROWSER_LOGGING: 'off' });
    try {
      expect(await status(closed, await person({ tenants: [TENANT] }), 'create')).toBe(403);
      expect(await status(closed, await moduleToken(), 'create', {}, { tenant_id: TENANT })).toBe(201);
    } finally {
      await closed.close();
    }
  });
});

describe('the other paths', () => {
  it.each(['/', '/playground'])('%s carries a strict policy', async (path) => {
    const { status: code, headers } = await fetch(reel.url + path);
    expect(code).toBe(200);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe-eval');
    const scripts = /script-src[^;]*/.exec(policy)?.[0] ?? '';
    expect(scripts).not.toContain('unsafe-inline');
    if (path === '/') expect(policy).not.toContain('unsafe-inline');
    expect(policy).not.toMatch(/https?:|\*/);
    expect(headers.get('x-frame-options')?.toLowerCase()).toBe('deny');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('health says so, and metrics name nobody', async () => {
    expect((await fetch(`${reel.url}/health/live`)).status).toBe(200);
    expect((await fetch(`${reel.url}/health/ready`)).status).toBe(200);
    const text = await (await fetch(`${reel.url}/metrics`)).text();
    expect(text).toMatch(/^reel_\w+/m);
    for (const secret of [TENANT, FIRST, 'ana@example.com', JWT_SECRET, SERVICE_SECRET, 'guardian'])
      expect(text).not.toContain(secret);
  });

  it('an export link is not kept by anybody on the way', async () => {
    const token = await person({ grants: [grant(TENANT, `reel.logs.export:CLIENT:${FIRST}`)] });
    const { body } = await reel.rest(token, 'POST', '/logs/export', {});
    const file = await fetch(reel.url + body.download_url);
    expect(file.status).toBe(200);
    expect(file.headers.get('cache-control')).toBe('no-store');
    expect(file.headers.get('x-content-type-options')).toBe('nosniff');
    expect(file.headers.get('referrer-policy')).toBe('no-referrer');
    expect(file.headers.get('x-frame-options')).toBe('DENY');
    expect(file.headers.get('content-security-policy')).toContain("default-src 'none'");
    await file.text();
  });
});
