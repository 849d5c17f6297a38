/** What each host of tests/hosts does with Reel, whatever its server is: its own table, its own GraphQL, its own pages. */
import { MikroORM } from '@mikro-orm/postgresql';
import { buildSchema, graphql } from 'graphql';
import { getLogReader, getReelService, isReelError, readConfig } from 'reel';

export const config = readConfig(process.env);
export const orm = await MikroORM.init({
  clientUrl: process.env.REEL_DATABASE_URL,
  entities: [],
  discovery: { warnWhenNoEntities: false },
});

const schema = buildSchema('type Query { platform: String }');
export const ownGraphql = (source) => graphql({ schema, source, rootValue: { platform: 'the host' } });

/** In a transaction, which ends in an error where `fails`. */
export const invoice = ({ tenantId, fails = false }) =>
  orm.em.fork().transactional(async (em) => {
    const { id } = await getReelService(em).log({
      module: 'billing',
      action: 'invoices.create',
      severity: 'WARNING',
      tenantId,
      data: { fails },
    });
    if (fails) throw new Error('the card was declined');
    return { id };
  });

export const entries = async (tenantId) => {
  const { entries } = await getLogReader(orm.em.fork()).list(
    { tenantId, clients: null },
    { modules: ['billing'] },
  );
  return entries.map(({ id, severity }) => ({ id, severity }));
};

/** What a host learns of an entry that is faulty. */
export const refused = () =>
  getReelService(orm.em.fork())
    .log({ module: 'billing', action: '', tenantId: '0196f2f0-0000-7000-8000-00000000a001' })
    .catch((error) => ({ isReel: isReelError(error), code: error.code }));

export const listening = (port) => console.log(`listening on http://127.0.0.1:${port}`);
