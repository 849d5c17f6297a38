import 'reflect-metadata';
import { ApolloDriver } from '@nestjs/apollo';
import { Body, Controller, Get, Module, Post, Query } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { config, entries, invoice, refused } from './platform.mjs';

class Platform {
  invoice(body) {
    return invoice(body);
  }
  entries(tenantId) {
    return entries(tenantId);
  }
  refused() {
    return refused();
  }
  health() {
    return 'the host';
  }
  metrics() {
    return 'the host';
  }
}
Controller()(Platform);
const route = (decorator, name) =>
  decorator(Platform.prototype, name, Object.getOwnPropertyDescriptor(Platform.prototype, name));
route(Post('invoices'), 'invoice');
Body()(Platform.prototype, 'invoice', 0);
route(Get('entries'), 'entries');
Query('tenantId')(Platform.prototype, 'entries', 0);
route(Get('refused'), 'refused');
route(Get('health'), 'health');
route(Get('metrics'), 'metrics');

export class PlatformModule {}
Module({
  imports: [
    GraphQLModule.forRoot({
      driver: ApolloDriver,
      typeDefs: 'type Query { platform: String }',
      resolvers: { Query: { platform: () => 'the host' } },
    }),
  ],
  controllers: [Platform],
})(PlatformModule);

export { config };
