import { hostname } from 'node:os';
import type { z } from 'zod';
import { badInput } from '../../errors.js';
import { StreamFormat } from '../formats/format.js';
import { httpKind } from './http-kind.js';
import { StreamKind } from './kind.js';
import { acceptedOf, textOf } from './otlp-answer.js';
import { encodeLogs, logsAsJson } from './otlp-message.js';
import { recordOf } from './otlp-record.js';
import { checkToken, choice, headerValues, isNamed, settingsOf, urlText } from './settings.js';

const SETTINGS = settingsOf({
  url: urlText,
  headers: headerValues.optional(),
  encoding: choice('protobuf', 'json').optional(),
});

/** OTLP/HTTP logs. */
export const otlp = httpKind<z.infer<typeof SETTINGS>>({
  name: StreamKind.OTLP,
  formats: [StreamFormat.REEL, StreamFormat.OCSF],
  settings: SETTINGS,
  checkSecret: (secret, { headers = {} }) => {
    checkToken(secret, 'the value of the header Authorization, or none', false);
    if (secret !== null && isNamed(headers, 'authorization'))
      throw badInput('settings.headers', 'no Authorization beside a secret, which is its value', 'one');
  },
  readsAnswer: true,
  exchange: ({ settings, secret, headers }) => {
    const url = new URL(settings.url);
    if (url.pathname === '/') url.pathname = '/v1/logs';
    const isJson = settings.encoding === 'json';
    const resource = { 'service.name': 'reel', 'host.name': hostname() };
    return {
      post(batch) {
        const records = batch.entries.map((each) => recordOf(each, batch));
        return {
          url: url.href,
          headers: {
            ...headers,
            ...(secret === null ? {} : { authorization: secret }),
            'content-type': isJson ? 'application/json' : 'application/x-protobuf',
          },
          body: isJson ? logsAsJson(resource, records) : encodeLogs(resource, records),
        };
      },
      textOf,
      accepted: (answer, { entries }) => acceptedOf(answer, entries.length),
    };
  },
});
