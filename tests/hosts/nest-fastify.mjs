import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { router } from 'reel';
import { config, PlatformModule } from './nest.mjs';
import { listening } from './platform.mjs';

const app = await NestFactory.create(PlatformModule, new FastifyAdapter(), { logger: ['error'] });
await app.register(router, { config, prefix: '/audit', viewer: true });
await app.listen(0, '127.0.0.1');
listening(app.getHttpServer().address().port);
