import express from 'express';
import { createReelHandler } from 'reel';
import { config, entries, invoice, listening, ownGraphql, refused } from './platform.mjs';

const app = express();
const reel = await createReelHandler({ config, prefix: '/audit', viewer: true });
app.use('/audit', reel.handle);
app.use(express.json());
app.post('/graphql', async ({ body }, response) => response.json(await ownGraphql(body.query)));
app.get('/health', (_request, response) => response.send('the host'));
app.get('/metrics', (_request, response) => response.send('the host'));
app.post('/invoices', async ({ body }, response) => response.json(await invoice(body)));
app.get('/entries', async ({ query }, response) => response.json(await entries(query.tenantId)));
app.get('/refused', async (_request, response) => response.json(await refused()));
const server = app.listen(0, '127.0.0.1', () => listening(server.address().port));
reel.attach(server);
