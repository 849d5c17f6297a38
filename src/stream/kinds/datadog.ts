import type { z } from 'zod';
import { badInput } from '../../errors.js';
import { messageOf } from '../formats/ocsf.js';
import { originOf, withMember } from './batch-text.js';
import { httpKind } from './http-kind.js';
import { type BatchToSend, type Delivered, StreamKind } from './kind.js';
import { checkToken, settingsOf, text, urlText } from './settings.js';

const SETTINGS = settingsOf({
  url: urlText.optional(),
  site: text(100).optional(),
  service: text(100).optional(),
  tags: text(1_000).optional(),
});
type DatadogSettings = z.infer<typeof SETTINGS>;

/** Datadog drops what is dated more than 18 hours back; an hour for the way. */
const MOST_AGE_MS = 17 * 3_600_000;
const SITE = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/;

/** Datadog's logs intake, v2. */
export const datadog = httpKind<DatadogSettings>({
  name: StreamKind.DATADOG,
  settings: SETTINGS,
  destination: ['url', 'site'],
  check: ({ url, site }, egress) => {
    if ((url === undefined) === (site === undefined))
      throw badInput('settings.site', 'either site or url', url === undefined ? null : 'both');
    if (site !== undefined && !SITE.test(site))
      throw badInput('settings.site', 'a Datadog site, for example datadoghq.eu', site);
    egress.checkUrl(url === undefined ? 'settings.site' : 'settings.url', intakeOf({ url, site }));
  },
  checkSecret: (secret) => checkToken(secret, 'an API key'),
  readsAnswer: false,
  exchange: ({ settings, secret, format }) => ({
    post: (batch) => ({
      url: intakeOf(settings),
      headers: { 'dd-api-key': secret ?? '', 'content-type': 'application/json' },
      // Under its format's name no field of an entry is taken for one of Datadog's own.
      body: `[${batch.entries.map((each) => withMember(aboutOf(each, batch, settings), format.toLowerCase(), each.text)).join(',')}]`,
    }),
  }),
});

const intakeOf = ({ url, site }: Pick<DatadogSettings, 'url' | 'site'>): string =>
  url ?? `https://http-intake.logs.${site}/api/v2/logs`;

function aboutOf(each: Delivered, batch: BatchToSend, { service = 'reel', tags }: DatadogSettings): object {
  const { createdAt, severity } = each.entry;
  const isOld = Date.now() - Date.parse(createdAt) > MOST_AGE_MS;
  return {
    ddsource: 'reel',
    service,
    ...(tags === undefined ? {} : { ddtags: tags }),
    message: messageOf(each.entry),
    status: severity.toLowerCase(),
    ...(isOld ? { reel_created_at: createdAt } : { timestamp: createdAt }),
    ...originOf(each, batch, '_'),
  };
}
