import { NestFactory } from '@nestjs/core';
import { createReelHandler } from 'reel';
import { config, PlatformModule } from './nest.mjs';
import { listening } from './platform.mjs';

const app = await NestFactory.create(PlatformModule, { logger: ['error'] });
const reel = await createReelHandler({ config, prefix: '/audit', viewer: true });
app.use('/audit', reel.handle);
await app.listen(0, '127.0.0.1');
reel.attach(app.getHttpServer());
listening(app.getHttpServer().address().port);
