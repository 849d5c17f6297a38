import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import type { Command } from 'commander';
import { beforeAll, describe, expect, test } from 'vitest';
import { REEL_ACTIONS } from '../../src/auth/actions.js';
import { moduleClaims, personClaims } from '../../src/auth/credential.js';
import { grantToWire } from '../../src/auth/grant.js';
import type { CommandContext } from '../../src/cli/context.js';
import { createProgram } from '../../src/cli/program.js';
import { SETTINGS } from '../../src/config/config.js';
import { DATABASE_FAULTS } from '../../src/database/unavailable.js';
import { commandsPage } from '../../src/development/commands-page.js';
import { graphqlPage } from '../../src/development/graphql-page.js';
import { settingsTable } from '../../src/development/settings-table.js';
import { ERROR_STATUS } from '../../src/errors.js';
import { buildReelSchema } from '../../src/graphql/schema.js';
import { createMetrics } from '../../src/http/metrics.js';
import { OWN_ACTIONS } from '../../src/log/retention/own-actions.js';
import { FAULTS } from '../../src/query-line/fault.js';
import { type View, writeLink } from '../../web/stage/link.js';
import { allText, blocksOf, PAGES, pageText, root } from './pages.js';

let program: Command;
beforeAll(async () => {
  program = await createProgram({} as CommandContext);
});

const sources = (...patterns: string[]) =>
  globSync(patterns, { cwd: root }).map((file) => readFileSync(join(root, file), 'utf8'));

/** Words of this form, each once. */
const wordsOf = (text: string, form: RegExp): Set<string> =>
  new Set([...text.matchAll(form)].map(([word]) => word));

describe('what is written from code', () => {
  test.each([
    ['docs/settings.md', () => settingsTable()],
    ['docs/graphql.md', () => graphqlPage(buildReelSchema())],
    ['docs/commands.md', () => commandsPage(program)],
  ])('%s is up to date', (page, text) => {
    expect(pageText(page).endsWith(`\n\n${text()}`)).toBe(true);
  });
});

describe('settings', () => {
  const known = [...Object.values(SETTINGS).map(({ variable }) => variable), 'REEL_URL', 'REEL_TOKEN'];
  const inFiles = [
    ...Object.values(SETTINGS).filter((row) => 'secret' in row),
    { variable: 'REEL_TOKEN' },
  ].map(({ variable }) => `${variable}_FILE`);
  /** Set by Kubernetes, and passed over. */
  const kubernetes = ['REEL_SERVICE_HOST', 'REEL_SERVICE_PORT'];

  test('each is in docs/settings.md', () => {
    for (const variable of [...known, ...inFiles])
      expect(pageText('docs/settings.md')).toContain(`\`${variable}\``);
  });

  test('none that is named is unknown', () => {
    const named = wordsOf(allText, /\bREEL_[A-Z_]+\b/g);
    const ofTests = [
      'REEL_TEST_CITUS_URL',
      'REEL_TEST_CLIENT_AWAY',
      'REEL_TEST_CLIENT_KILLS',
      'REEL_TEST_STREAM_KILLS',
    ];
    const all = [...known, ...inFiles, ...kubernetes, ...ofTests];
    expect([...named].filter((name) => !all.includes(name))).toEqual([]);
  });
});

describe('faults of the database', () => {
  test('docs/operations.md has each row of the table that answers by them', () => {
    const rows = [...pageText('docs/operations.md').matchAll(/^\| ([a-z ,-]+) \| ([0-9A-Z, ]+) \|/gm)];
    expect(rows.map(([, condition, states]) => [condition, states])).toEqual(
      DATABASE_FAULTS.map(({ condition, states }) => [condition, states.join(', ')]),
    );
  });
});

describe('headers', () => {
  /** Those that the code reads or sets by name. */
  const used = new Set(
    sources('src/**/*.ts').flatMap((text) =>
      [
        ...text.matchAll(/(?:headerValues|headerUuid)\(call, '([\w-]+)'/g),
        ...text.matchAll(/\bheaders(?:\?\.|\.)?\['([\w-]+)'\]/g),
        ...text.matchAll(/\.header\(\s*'([\w-]+)'/g),
        ...text.matchAll(/headers\.set\('([\w-]+)'/g),
        ...text.matchAll(/\bheaders\.(accept|authorization|origin)\b/g),
        ...text.matchAll(/^ {2}'((?:[A-Z][\w]*-)+[A-Z]\w*)':/gm),
      ].map(([, name]) => name!.toLowerCase()),
    ),
  );

  test('the search for them finds those that there are for certain', () => {
    expect([...used]).toEqual(
      expect.arrayContaining([
        ...['authorization', 'x-tenant-id', 'x-client-id', 'x-request-id', 'x-forwarded-for', 'user-agent'],
        ...['idempotency-key', 'accept', 'retry-after', 'allow', 'www-authenticate', 'content-disposition'],
      ]),
    );
  });

  test('each is in the docs', () => {
    const text = allText.toLowerCase();
    const missing = [...used].filter((name) => !new RegExp(`\`${name}[\`:]`).test(text));
    // How a connection ends, and how long a message is, are HTTP's own matter.
    expect(
      missing.filter((name) => !['connection', 'content-length', 'transfer-encoding'].includes(name)),
    ).toEqual([]);
  });

  test('none of Reel that is named is unknown', () => {
    const named = wordsOf(allText.toLowerCase(), /(?<=`)x-[a-z-]+/g);
    // Of Apollo's, which createApollo names in a list.
    expect([...named].filter((name) => !used.has(name) && name !== 'x-apollo-operation-name')).toEqual([]);
  });
});

describe('tokens', () => {
  const page = pageText('docs/tokens.md');
  const tableOf = (title: string) => {
    const section = page.slice(page.indexOf(`## ${title}\n`));
    const rows = section.slice(0, section.indexOf('\n\n```')).matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm);
    return [...rows].flatMap(([, names]) => names!.replaceAll('`', '').split(', ')).sort();
  };
  const grantMembers = Object.keys(
    grantToWire({ action: 'a', scope: 'ACCOUNT', tenantId: 't', clientId: null }),
  );

  test('every claim of a person, and every member of a grant, and no other', () => {
    // These are jose's to check.
    const claims = [...Object.keys(personClaims.shape), 'iss', 'aud', 'iat', 'nbf'];
    expect(tableOf('A person')).toEqual([...claims, ...grantMembers].sort());
  });

  test('every claim of a module, and no other', () => {
    expect(tableOf('A module')).toEqual([...Object.keys(moduleClaims.shape), 'iat', 'nbf'].sort());
  });

  test('every action', () => {
    for (const { code, scopes } of REEL_ACTIONS)
      expect(pageText('docs/access.md')).toContain(`| \`${code}\` | ${scopes.join(', ')} |`);
    for (const action of Object.values(OWN_ACTIONS)) expect(pageText('docs/retention.md')).toContain(action);
  });
});

test('every metric, and no other', async () => {
  const registered = (await createMetrics().registry.getMetricsAsJSON()).map(({ name }) => name);
  const named = wordsOf(pageText('docs/operations.md'), /(?<=`)(?:reel|process|nodejs)_[a-z0-9_]+(?=`)/g);
  expect([...named].sort()).toEqual(registered.sort());
});

test('every code that is named exists', () => {
  const codes = [...Object.keys(ERROR_STATUS), 'INTERNAL_SERVER_ERROR'];
  // Words of the code that look alike: enums of the schema and variables of the examples.
  const schema = readFileSync(join(root, 'schema.graphql'), 'utf8');
  const named = wordsOf(allText, /(?<=`)[A-Z]+(?:_[A-Z]+)+(?=`)/g);
  const known = [...codes, ...FAULTS];
  const others = [...named].filter((word) => !known.includes(word) && !schema.includes(word));
  expect(others.filter((word) => !/^REEL_|^DEPLOY_|^OTEL_|_TOKEN$/.test(word))).toEqual([]);
  for (const code of codes) expect(pageText('docs/errors.md')).toContain(`\`${code}\``);
});

describe('commands', () => {
  /** Every `reel …` of the docs, in blocks and between back quotes. */
  const lines = PAGES.flatMap((page) => [
    ...blocksOf(page)
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n')),
    ...[...pageText(page).matchAll(/`(reel [^`\n]+)`/g)].map(([, line]) => line!),
  ]).flatMap((line) =>
    [...line.matchAll(/(?:^|[(|;] *|-- )(?:reel |reel -- )([a-z][^|;>)]*)/g)].map(([, rest]) => rest!),
  );

  test.each([...new Set(lines)])('reel %s is a command with these options', (line) => {
    const words = line.trim().split(/\s+/);
    let command = program;
    while (words.length > 0) {
      const next = command.commands.find((each) => each.name() === words[0]);
      if (!next) break;
      command = next;
      words.shift();
    }
    expect(command).not.toBe(program);
    const known = [...command.options.map(({ long }) => long!), '--help'];
    expect(words.filter((word) => word.startsWith('--') && !known.includes(word))).toEqual([]);
  });

  test('every npm script, and no other', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
    const names = Object.keys(scripts).filter((name) => name !== 'prepack');
    for (const name of names) expect(allText).toMatch(new RegExp(`[\` ]${name}\\b`));
    const named = [...allText.matchAll(/npm run (?:-s )?([a-z][\w:]*)/g)].map(([, name]) => name!);
    expect([...new Set(named)].filter((name) => !names.includes(name))).toEqual([]);
  });

  test('every option of deploy.sh', () => {
    const usage = execFileSync(join(root, 'deploy.sh'), ['--help'], { encoding: 'utf8' });
    const options = wordsOf(usage, /--[a-z-]+/g);
    expect(options.size).toBeGreaterThan(5);
    for (const option of options) expect(pageText('docs/commands.md')).toContain(`\`${option}`);
  });
});

test('every parameter of a view, and every key', () => {
  const view: Record<keyof View, unknown> = {
    ...{
      q: 'a',
      range: '1h',
      from: '2026-01-05T10:00:00Z',
      to: '2026-01-05T10:00:00Z',
      oldest: true,
      entry: 'e',
    },
    ...{ live: true, lang: 'en', tz: 'UTC', tenant: 't', client: 'c', page: 'streams', stream: 's' },
    ...{ v: 'v', isAsSaved: false },
  };
  const page = pageText('docs/viewer.md');
  for (const name of new URLSearchParams(writeLink(view as unknown as View)).keys())
    expect(page).toMatch(new RegExp(`^\\| .*\`${name}\`.* \\|`, 'm'));
  const [keys] = sources('web/stage/**/KeysDialog.vue');
  for (const [, names] of keys!.matchAll(/^ {2}\['([^']+)', '\w+'\],$/gm))
    for (const key of names!.split(' ')) expect(page).toContain(`\`${key}\``);
});

describe('links', () => {
  const anchors = (page: string) =>
    [...pageText(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );

  test.each(PAGES)('those of %s lead somewhere', (page) => {
    const prose = pageText(page).replace(/^```[\s\S]*?^```$/gm, '');
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [path = '', anchor] = target!.split('#');
      const file = path === '' ? page : normalize(join(dirname(page), path));
      expect(existsSync(join(root, file)), `${page} -> ${target}`).toBe(true);
      if (anchor) expect(anchors(file), `${page} -> ${target}`).toContain(anchor);
    }
  });

  test('README leads to every page', () => {
    for (const page of PAGES) if (page !== 'README.md') expect(pageText('README.md')).toContain(`(${page}`);
  });
});

describe('docs/architecture.md', () => {
  const [, tree = ''] = /```text\n(src\/[\s\S]*?)```/.exec(pageText('docs/architecture.md')) ?? [];

  test('names the folders that there are, and no others', () => {
    const path: string[] = [];
    const named = tree.split('\n').flatMap((line) => {
      const [, indent = '', name] = /^( *)([a-z-]+)\//.exec(line) ?? [];
      if (name === undefined) return [];
      path.splice(indent.length / 2);
      path.push(name);
      return path.join('/');
    });
    const folders = ['src', 'web'].flatMap((top) =>
      readdirSync(join(root, top), { withFileTypes: true }).flatMap((each) =>
        each.isDirectory() ? `${top}/${each.name}` : [],
      ),
    );
    const ofLog = readdirSync(join(root, 'src/log'), { withFileTypes: true }).flatMap((each) =>
      each.isDirectory() ? `src/log/${each.name}` : [],
    );
    expect(named.filter((name) => name.includes('/')).sort()).toEqual([...folders, ...ofLog].sort());
  });
});
