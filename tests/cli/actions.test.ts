import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/cli.js';
import { moduleToken, person, startReel, type TestReel } from '../support/reel.js';

const EXAMPLE = resolve(import.meta.dirname, '../../docs/examples/billing-actions.ts');
let reel: TestReel;
let folder: string;
beforeAll(async () => {
  reel = await startReel();
  folder = await mkdtemp(join(tmpdir(), 'reel-actions-'));
});
afterAll(async () => {
  await reel.close();
  await rm(folder, { recursive: true });
});

const as = async (module: string, ...args: string[]) =>
  runCommand(['actions', ...args], { REEL_URL: reel.url, REEL_TOKEN: await moduleToken(module) });

async function write(name: string, content: string): Promise<string> {
  const file = join(folder, `${randomUUID()}-${name}`);
  await writeFile(file, content);
  return file;
}

/** An ES module that defines actions without a package, as one that was built does. */
const defining = (module: string, actions: string) =>
  write('actions.mjs', `export const actions = { module: '${module}', actions: ${actions} };`);

describe('reel actions push', () => {
  it('registers what a file of the module defines, and may be repeated', async () => {
    const first = await as('billing', 'push', EXAMPLE);
    expect(first).toEqual({
      code: 0,
      stdout: 'billing: 2 actions are registered, 2 of them anew\n',
      stderr: '',
    });
    expect((await as('billing', 'push', EXAMPLE)).stdout).toBe(
      'billing: 2 actions are registered, 0 of them anew\n',
    );
    const { stdout } = await as('billing', 'push', EXAMPLE, '--json');
    expect(JSON.parse(stdout)[0]).toMatchObject({
      module: 'billing',
      action: 'invoices.delete',
      version: 1,
      severity: 'WARNING',
      resourceType: 'invoice',
      schema: { type: 'object', required: ['before', 'reason'] },
      redact: [{ path: 'before.card', how: 'MASK' }],
    });
  });

  it('takes registrations as JSON, for modules in other languages', async () => {
    const file = await write(
      'actions.json',
      JSON.stringify([
        { module: 'pay', action: 'cards.add', version: 1, redaction: [{ path: 'n', how: 'mask' }] },
      ]),
    );
    expect((await as('pay', 'push', file)).stdout).toBe('pay: 1 actions are registered, 1 of them anew\n');
    const listed = JSON.parse((await as('pay', 'list', '--module', 'pay', '--json')).stdout);
    expect(listed).toEqual([
      expect.objectContaining({ action: 'cards.add', redact: [{ path: 'n', how: 'MASK' }] }),
    ]);
  });

  it('answers 1 where a version is registered with other content, and registers nothing', async () => {
    expect((await as('ship', 'push', await defining('ship', `{ 'a.b': {} }`))).code).toBe(0);
    const changed = await defining('ship', `{ 'a.b': { severity: 'ERROR' }, 'a.c': {} }`);
    expect(await as('ship', 'push', changed)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'reel: CONFLICT: a.b: expected version 1 with the severity that it is registered with, got another (a change needs a new version)\n',
    });
    expect(JSON.parse((await as('ship', 'list', '--module', 'ship', '--json')).stdout)).toHaveLength(1);
  });

  it('answers 1 where an action is not as expected', async () => {
    const file = await defining('ship', `{ 'a.d': { redact: [''] } }`);
    const { code, stderr } = await as('ship', 'push', file);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^reel: BAD_USER_INPUT: actions\.0\.redact\.0\.path: expected names joined by dots/,
    );
  });

  it('registers under no other name than that of its credential', async () => {
    const file = await defining('ship', `{ 'a.b': {} }`);
    expect(await as('billing', 'push', file)).toMatchObject({
      code: 2,
      stderr:
        'reel: --token (or REEL_TOKEN): expected the token of module ship, whose actions these are, got that of billing\n',
    });
    const people = { REEL_URL: reel.url, REEL_TOKEN: await person() };
    expect((await runCommand(['actions', 'push', file], people)).stderr).toContain("got a person's");
    const none = await runCommand(['actions', 'push', file], { REEL_URL: reel.url });
    expect(none).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("expected a module's token, got nothing"),
    });
  });

  it.each<[string, () => Promise<string>, RegExp]>([
    ['no file', async () => join(folder, 'none.mjs'), /expected a module that can be imported: /],
    ['no JSON', () => write('a.json', '{'), /expected a JSON list of registrations: /],
    ['no list', () => write('a.json', '{}'), /expected a JSON list of registrations, got \{\}/],
    ['no module', () => write('a.json', '[{}]'), /each an object that names its module, got \{\}/],
    [
      'no actions',
      () => write('a.mjs', 'export const a = 1;'),
      /expected what defineActions made among its exports/,
    ],
    [
      'two modules',
      () =>
        write('a.json', '[{"module":"a","action":"a","version":1},{"module":"b","action":"a","version":1}]'),
      /expected the actions of one module, got those of "a", "b"/,
    ],
  ])('says what is wrong with %s', async (_, make, message) => {
    const { code, stderr, stdout } = await as('a', 'push', await make());
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('reel actions list', () => {
  it('has a line for each action', async () => {
    await as('lines', 'push', await defining('lines', `{ 'a.b': { description: 'It is so' }, 'a.c': {} }`));
    expect((await as('*', 'list', '--module', 'lines')).stdout).toBe(
      'lines  a.b  version 1  INFO  It is so\nlines  a.c  version 1  INFO\n',
    );
  });

  it('makes a page of documentation, in which nothing that a module says is markup', async () => {
    const schema = {
      type: 'object',
      properties: {
        before: { $ref: '#/$defs/invoice', description: 'as it was' },
        items: { type: 'array', items: { type: 'object', properties: { sku: { type: 'string' } } } },
        state: { enum: ['paid', 'open'] },
        at: { type: 'string', format: 'date-time' },
        any: {},
        'a|b`c': { anyOf: [{ type: 'null' }, { const: 1 }, { $ref: '#' }] },
      },
      required: ['before'],
      $defs: {
        invoice: { type: 'object', properties: { amount: { type: 'number' } }, required: ['amount'] },
      },
    };
    const file = await write(
      'actions.json',
      JSON.stringify([
        {
          module: 'pages',
          action: 'invoices.delete',
          version: 2,
          severity: 'WARNING',
          resource: 'invoice',
          description: '<b>An invoice</b> is *deleted* | for good',
          schema,
          redaction: [{ path: 'before.card', how: 'mask' }],
        },
        { module: 'pages', action: 'sessions.end', version: 1 },
      ]),
    );
    await as('pages', 'push', file);
    const { stdout } = await as('pages', 'list', '--module', 'pages', '--markdown');
    expect(stdout).toBe(`# Actions

## pages

### \`invoices.delete\`

\\<b\\>An invoice\\</b\\> is \\*deleted\\* \\| for good.

Version 2, severity WARNING, resource \`invoice\`.

| Data | Type | |
|---|---|---|
| \`before\` | object |  |
| \`before.amount\` | number |  |
| \`items\` | list of object | optional |
| \`items[*].sku\` | string | optional |
| \`state\` | "paid" or "open" | optional |
| \`at\` | string (date-time) | optional |
| \`any\` | any | optional |
| \`\`a\\|b\`c\`\` | null or 1 or object | optional |

Redacted: \`before.card\` (mask).

### \`sessions.end\`

Version 1.
`);
    expect((await as('pages', 'list', '--module', 'nobody', '--markdown')).stdout).toBe(
      '# Actions\n\nNone is registered.\n',
    );
  });
});
