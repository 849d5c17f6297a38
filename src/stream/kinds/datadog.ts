import { badInput } from '../../errors.js';
import { messageOf } from '../formats/ocsf.js';
import { httpKind } from './http-kind.js';
import {
  type BatchToSend,
  type CommonSettings,
  checkToken,
  StreamKind,
  settingsOf,
  text,
  urlText,
} from './kind.js';

interface DatadogSettings extends CommonSettings {
  url?: string | undefined;
  site?: string | undefined;
  service?: string | undefined;
  tags?: string | undefined;
}

/** Datadog drops what is dated more than 18 hours back; an hour for the way. */
const MOST_AGE_MS = 17 * 3_600_000;
const SITE = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/;

/** Datadog's logs intake, v2. */
export const datadog = httpKind<DatadogSettings>({
  name: StreamKind.DATADOG,
  settings: settingsOf({
    url: urlText.optional(),
    site: text(100).optional(),
    service: text(100).optional(),
    tags: text(1_000).optional(),
  }),
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
  exchange: ({ settings, secret, format }) => {
    const { service = 'reel', tags } = settings;
    return {
      post(batch) {
        const now = Date.now();
        const logs = batch.entries.map((each) => logOf(each, batch, { format, service, tags, now }));
        return {
          url: intakeOf(settings),
          headers: { 'dd-api-key': secret ?? '', 'content-type': 'application/json' },
          body: `[${logs.join(',')}]`,
        };
      },
    };
  },
});

const intakeOf = ({ url, site }: DatadogSettings): string =>
  url ?? `https://http-intake.logs.${site}/api/v2/logs`;

/** The entry stands under its format's name, so that no field of it is taken for one of Datadog's own. */
function logOf(
  { entry, text: value }: BatchToSend['entries'][number],
  { streamId, tenantId }: BatchToSend,
  { format, service, tags, now }: { format: string; service: string; tags: string | undefined; now: number },
): string {
  const isOld = now - Date.parse(entry.createdAt) > MOST_AGE_MS;
  const about = {
    ddsource: 'reel',
    service,
    ...(tags === undefined ? {} : { ddtags: tags }),
    message: messageOf(entry),
    status: entry.severity.toLowerCase(),
    ...(isOld ? { reel_created_at: entry.createdAt } : { timestamp: entry.createdAt }),
    reel_stream: streamId,
    reel_tenant: tenantId,
    reel_id: entry.id,
    reel_sequence: entry.sequence,
  };
  return `${JSON.stringify(about).slice(0, -1)},"${format.toLowerCase()}":${value}}`;
}
