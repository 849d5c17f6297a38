import type { Config } from '../config/config.js';
import type { Allowance } from '../errors.js';
import type { Answer } from '../http/answer.js';
import type { Caller } from '../http/request.js';
import { Loaders } from './loaders.js';
import type { Finished } from './plain-fields.js';
import type { Services } from './services.js';

export type PageSizes = Pick<Config, 'defaultPageSize' | 'maxPageSize'>;

/** GraphQL's contextValue, made anew for each operation. */
export type ReelContext = {
  readonly caller: Caller;
  readonly services: Services;
  readonly loaders: Loaders;
  readonly pageSizes: PageSizes;
  /** What the operation's relative times count from. */
  readonly now: Date;
  /** What is made for it. */
  readonly answer: Answer;
  /** What is finished beside the result, whose maker places it; without it nothing is. */
  readonly finished?: Finished[] | undefined;
  /** What is left of the entries that a person may report; set once they have reported one. */
  allowance?: Allowance | undefined;
};

export function createContext(
  caller: Caller,
  shared: Services,
  pageSizes: PageSizes,
  answer: Answer,
): ReelContext {
  const services = { ...shared, ...shared.during?.(answer) };
  return {
    caller,
    services,
    loaders: new Loaders(caller, services),
    pageSizes,
    now: new Date(),
    answer,
  };
}
