import type { Config } from '../config.js';
import type { Caller } from '../request.js';
import { Loaders } from './loaders.js';
import type { Services } from './services.js';

export type PageSizes = Pick<Config, 'defaultPageSize' | 'maxPageSize'>;

/** GraphQL's contextValue, made anew for each operation. */
export type ReelContext = {
  readonly caller: Caller;
  readonly services: Services;
  readonly loaders: Loaders;
  readonly pageSizes: PageSizes;
};

export const createContext = (caller: Caller, services: Services, pageSizes: PageSizes): ReelContext => ({
  caller,
  services,
  loaders: new Loaders(caller, services),
  pageSizes,
});
