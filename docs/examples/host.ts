/** A host that embeds Reel on its own Fastify and MikroORM: the invoice and its entry stand or fall together. */
import type { MikroORM } from '@mikro-orm/postgresql';
import Fastify from 'fastify';
import { type Config, getLogReader, getReelService, router } from 'reel';

export async function createHost(orm: MikroORM, config: Config) {
  const app = Fastify();
  await app.register(router, { prefix: '/audit', config, viewer: true });

  app.post<{ Body: { tenantId: string; amount: number } }>('/invoices', ({ body: { tenantId, amount } }) =>
    orm.em.fork().transactional(async (em) => {
      const [invoice] = await em.execute('insert into invoice (amount) values (?) returning id', [amount]);
      await getReelService(em).log({
        module: 'billing',
        action: 'invoices.create',
        tenantId,
        resourceType: 'invoice',
        resourceId: invoice?.id,
        data: { after: { amount } },
      });
      return { id: invoice?.id };
    }),
  );

  app.get<{ Params: { tenantId: string } }>(
    '/:tenantId/invoices/history',
    async ({ params: { tenantId } }) => {
      const scope = { tenantId, clients: null };
      const { entries } = await getLogReader(orm.em.fork()).list(
        scope,
        { actions: ['invoices.*'] },
        { first: 20 },
      );
      return entries.map(({ createdAt, actorName, action }) => ({ createdAt, actorName, action }));
    },
  );
  return app;
}
