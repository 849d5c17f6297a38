/** A module of the platform: what its people do is recorded, and answering them never waits for it. */
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Reel } from 'reel/client';
import { fastifyContext } from 'reel/client/adapters';
import type { actions } from './billing-actions.js';

export async function createBilling(reel: Reel<typeof actions.actions>): Promise<FastifyInstance> {
  const app = Fastify();
  await app.register(
    fastifyContext((request: FastifyRequest) => ({
      tenantId: String(request.headers['x-tenant-id']),
      actor: { id: String(request.headers['x-user-id']) },
    })),
  );
  app.delete<{ Params: { id: string } }>('/invoices/:id', async ({ params: { id } }) => {
    const before = { amount: 120, card: '4111111111111111' };
    reel.log('invoices.delete', { resource: { id }, data: { before, reason: 'a duplicate' } });
    return { deleted: id };
  });
  app.addHook('onClose', () => reel.close());
  return app;
}
