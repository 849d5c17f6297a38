/** A host that embeds Reel on its own Fastify and MikroORM: the invoice and its entry stand or fall together. */
import type { MikroORM } from '@mikro-orm/postgresql';
import Fastify from 'fastify';
import { type Config, getReelService, router } from 'reel';

export async function createHost(orm: MikroORM, config: Config) {
  const app = Fastify();
  await app.register(router, { config });
  app.post<{ Body: { tenantId: string; amount: number } }>('/invoices', ({ body }) =>
    orm.em.fork().transactional(async (em) => {
      const [invoice] = await em.execute('insert into invoice (amount) values (?) returning id', [
        body.amount,
      ]);
      const entry = {
        module: 'billing',
        action: 'invoices.create',
        resourceType: 'invoice',
        resourceId: invoice?.id,
      };
      await getReelService(em).log({
        ...entry,
        tenantId: body.tenantId,
        data: { after: { amount: body.amount } },
      });
      return { id: invoice?.id };
    }),
  );
  return app;
}
