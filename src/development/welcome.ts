import { REEL_ACTIONS } from '../auth/actions.js';
import { issueModuleToken, issuePersonToken } from '../auth/token.js';
import type { Config } from '../config/config.js';
import { SAMPLE } from '../sample/identities.js';

/** Printed when the server is ready: its URL and, in development, tokens and links to start with. */
export async function welcome(url: string, config: Config): Promise<string> {
  const lines = [`Reel listens on ${url}`];
  const [[jwtSecret], [serviceSecret]] = [config.jwtSecrets, config.serviceSecrets];
  if (config.env === 'development' && jwtSecret && serviceSecret) {
    const { tenantId, clientId } = SAMPLE;
    const grants = REEL_ACTIONS.flatMap((action) =>
      action.scopes.map((scope) => ({
        action: action.code,
        scope,
        tenantId,
        clientId: scope === 'CLIENT' ? clientId : null,
      })),
    );
    const who = { ...SAMPLE.person, grants, tenants: [tenantId] };
    const person = await issuePersonToken(jwtSecret, who, config);
    const module = await issueModuleToken(serviceSecret, '*');
    lines.push(
      '',
      `Viewer:      ${url}/#token=${person}`,
      ...(config.playground ? [`Playground:  ${url}/playground#token=${person}`] : []),
      '',
      `Tenant:      ${tenantId}`,
      `Client:      ${clientId}`,
      `A person's token (may view and export; expires in 8 hours):`,
      person,
      `A module's token (may write for any module; expires in 8 hours):`,
      module,
      '',
      'More: npm run -s reel -- token --help',
    );
  }
  return `${lines.join('\n')}\n`;
}
