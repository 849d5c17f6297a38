import Fastify from 'fastify';
import { printSchema } from 'graphql';
import { router } from 'reel';
import { buildSchemaSync, Query, Resolver } from 'type-graphql';
import { config, entries, invoice, listening, ownGraphql, refused } from './platform.mjs';

/** A host's own type-graphql, in whose storage Reel's types are too. */
class Platform {
  platform() {
    return 'the host';
  }
}
Resolver()(Platform);
Query(() => String)(
  Platform.prototype,
  'platform',
  Object.getOwnPropertyDescriptor(Platform.prototype, 'platform'),
);
const schema = () => printSchema(buildSchemaSync({ resolvers: [Platform], validate: false }));

const app = Fastify();
app.post('/graphql', ({ body }) => ownGraphql(body.query));
app.get('/health', async () => 'the host');
app.get('/metrics', async () => 'the host');
app.post('/invoices', ({ body }) => invoice(body));
app.get('/entries', ({ query }) => entries(query.tenantId));
app.get('/refused', () => refused());
app.get('/schema', async () => schema());
await app.register(router, { config, prefix: '/audit', viewer: true });
await app.listen({ host: '127.0.0.1', port: 0 });
listening(app.server.address().port);
