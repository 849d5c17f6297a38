import { type Command, InvalidArgumentError, Option } from 'commander';
import { v5 } from 'uuid';
import { EXPORT, REEL_ACTIONS, VIEW } from '../auth/actions.js';
import { type Grant, MENTOR_SCOPES, type MentorScope } from '../auth/grant.js';
import { withDevelopmentSecrets } from '../auth/secrets.js';
import { issuePersonToken } from '../auth/token.js';
import type { Config } from '../config/config.js';
import { StartError } from '../errors.js';
import { SAMPLE } from '../sample/identities.js';
import { integerOption, required, textOption, uuidOption, uuidsOption } from './options.js';

export interface PersonOptions {
  tenant?: string;
  client?: string[];
  grant?: NamedGrant[];
  member?: boolean;
  email?: string;
  name?: string;
  id?: string;
  minutes?: number;
  json?: boolean;
}

interface NamedGrant {
  action: string;
  scope: MentorScope;
}

/** The development person, as in the server's welcome. */
const ANA = SAMPLE.person;
/** Namespace (RFC 9562, UUIDv5) of person ids: the same e-mail address always gives the same person. */
const PEOPLE = '0196f2f0-0000-7000-8000-00000000b000';

/** The options for whom a token is and what it grants. */
export const personOptions = (command: Command): Command =>
  command
    .option('--tenant <id>', 'tenant that the person belongs to (required)', uuidOption)
    .option('--client <id>', 'client that CLIENT grants apply to; may be repeated', uuidsOption)
    .addOption(
      new Option(
        '--grant <action:scope>',
        `for example ${VIEW}:ACCOUNT; may be repeated (default: ${VIEW}:ACCOUNT, and with --client also ${VIEW}:CLIENT and ${EXPORT}:CLIENT)`,
      ).argParser(grantOption),
    )
    .option('--member', 'membership of the tenant, without any grant unless --grant is given too')
    .option('--email <address>', `e-mail address (default: ${ANA.email})`, textOption(320))
    .option('--name <name>', `name (default: ${ANA.name}, unless --email is given)`, textOption(255))
    .option('--id <id>', "the person's id (default: one derived from the e-mail address)", uuidOption)
    .option('--minutes <n>', 'minutes until the token expires (default: 480)', integerOption(1, 525_600))
    .option('--json', 'print the result as JSON');

function grantOption(text: string, before: NamedGrant[] = []): NamedGrant[] {
  const split = text.lastIndexOf(':');
  const [action, scope] = [text.slice(0, Math.max(split, 0)), text.slice(split + 1).toUpperCase()];
  if (action === '' || !MENTOR_SCOPES.includes(scope as MentorScope))
    throw new InvalidArgumentError(
      `Expected ACTION:SCOPE with one of the scopes ${MENTOR_SCOPES.join(', ')}.`,
    );
  return [...before, { action, scope: scope as MentorScope }];
}

/** A token as Guardian would issue it, signed with the first secret. Errors: StartError. */
export async function personToken(
  config: Config,
  options: PersonOptions,
  note: (line: string) => void,
): Promise<string> {
  if (config.jwksUrl !== null)
    throw new StartError(
      'REEL_JWKS_URL: expected none, since only the holder of its private keys can sign tokens, got one',
    );
  const withSecrets = await withDevelopmentSecrets(config);
  const [secret] = withSecrets.jwtSecrets;
  if (secret === undefined) throw new StartError('REEL_JWT_SECRET: expected a secret, got nothing');
  const { minutes, member, email = ANA.email } = options;
  const tenant = required(options.tenant, '--tenant <id>');
  const grants = grantsOf(tenant, options);
  for (const { action } of grants)
    if (action.startsWith('reel.') && !REEL_ACTIONS.some(({ code }) => code === action))
      note(`reel: ${action} is not an action of Reel's and grants nothing`);
  const who = {
    id: options.id ?? (email === ANA.email ? ANA.id : v5(email.toLowerCase(), PEOPLE)),
    email,
    name: options.name ?? (email === ANA.email ? ANA.name : undefined),
    grants,
    ...(member ? { tenants: [tenant] } : {}),
    ...(minutes === undefined ? {} : { minutes }),
  };
  return issuePersonToken(secret, who, withSecrets);
}

function grantsOf(tenant: string, { client = [], grant, member }: PersonOptions): Grant[] {
  const named: NamedGrant[] = grant ?? (member ? [] : usualGrants(client.length > 0));
  if (client.length === 0 && named.some(({ scope }) => scope === 'CLIENT'))
    throw new StartError('--client: expected the client that a CLIENT grant applies to, got nothing');
  return named.flatMap(({ action, scope }): Grant[] =>
    scope === 'ACCOUNT'
      ? [{ action, scope, tenantId: tenant, clientId: null }]
      : client.map((clientId) => ({ action, scope, tenantId: tenant, clientId })),
  );
}

const usualGrants = (withClient: boolean): NamedGrant[] => [
  { action: VIEW, scope: 'ACCOUNT' },
  ...(withClient ? [VIEW, EXPORT].map((action): NamedGrant => ({ action, scope: 'CLIENT' })) : []),
];
