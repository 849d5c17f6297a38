/** What a fresh host is: its program, and the packages that it installs beside Reel's tarball. */
export interface HostKind {
  name: string;
  program: string;
  packages: Readonly<Record<string, string>>;
}

const NEST = {
  '@nestjs/apollo': '14',
  '@nestjs/common': '12',
  '@nestjs/core': '12',
  '@nestjs/graphql': '14',
  '@apollo/server': '5',
  'reflect-metadata': '0.2',
  rxjs: '7',
};

/** The lowest that the package's peer ranges take, and the newest that npm finds within them. */
export const SETS = {
  lowest: {
    '@mikro-orm/core': '7.0.17',
    '@mikro-orm/postgresql': '7.0.17',
    fastify: '5.3.0',
    graphql: '16.12.0',
    'type-graphql': '2.0.0-rc.4',
  },
  newest: { '@mikro-orm/core': '7', '@mikro-orm/postgresql': '7', fastify: '5', graphql: '16' },
} as const;

export const KINDS: readonly HostKind[] = [
  { name: 'Fastify, lowest', program: 'fastify.mjs', packages: SETS.lowest },
  {
    name: 'Fastify, newest',
    program: 'fastify.mjs',
    packages: { ...SETS.newest, 'type-graphql': '^2.0.0-rc.4' },
  },
  { name: 'Express', program: 'express.mjs', packages: { ...SETS.newest, express: '5' } },
  {
    name: 'Nest on Fastify',
    program: 'nest-fastify.mjs',
    packages: { ...SETS.newest, ...NEST, '@nestjs/platform-fastify': '12', '@as-integrations/fastify': '3' },
  },
  {
    name: 'Nest on Express',
    program: 'nest-express.mjs',
    packages: { ...SETS.newest, ...NEST, '@nestjs/platform-express': '12', '@as-integrations/express5': '1' },
  },
];
