import { z } from 'zod';
import { type Actions, defineActions } from '../client/actions.js';

const change = <T extends z.ZodType>(of: T) => z.object({ before: of, after: of });
const money = { amount: z.number(), currency: z.enum(['EUR', 'BRL', 'USD']) };
const failure = { error: z.string(), code: z.string(), at: z.string(), attempt: z.int() };
const person = z.object({ email: z.email(), locale: z.string(), mfa: z.boolean() });
const invoice = z.object({ number: z.string(), ...money });

/** What the sample's modules register of their actions, and check their entries by. */
export const SAMPLE_MODULES: readonly Actions[] = [
  defineActions('guardian', {
    'users.login': {
      resource: 'session',
      description: 'Signed in',
      data: z.object({ method: z.enum(['password', 'sso', 'passkey']), mfa: z.boolean() }),
    },
    'users.login_failed': {
      severity: 'WARNING',
      resource: 'session',
      description: 'Failed to sign in',
      data: z.object({ reason: z.string(), attempts: z.int() }),
    },
    'users.logout': { resource: 'session', description: 'Signed out' },
    'users.create': {
      resource: 'user',
      description: 'Created a user',
      data: z.object({ after: person }),
    },
    'users.update': {
      resource: 'user',
      description: 'Changed a user',
      data: change(z.object({ locale: z.string(), mfa: z.boolean() })),
    },
    'users.delete': {
      severity: 'WARNING',
      resource: 'user',
      description: 'Deleted a user',
      data: z.object({ before: person }),
      redact: [{ path: 'before.email', how: 'mask' }],
    },
    'sessions.hijack_suspected': {
      severity: 'CRITICAL',
      resource: 'session',
      description: 'Used a session from two countries at once',
      data: z.object({ countries: z.array(z.string()), minutesApart: z.int() }),
    },
  }),
  defineActions('mentor', {
    'roles.assign': {
      resource: 'role',
      description: 'Assigned a role',
      data: change(z.object({ role: z.string() })),
    },
    'grants.revoke': {
      severity: 'WARNING',
      resource: 'grant',
      description: 'Revoked a grant',
      data: z.object({ before: z.object({ action: z.string(), scope: z.enum(['ACCOUNT', 'CLIENT']) }) }),
    },
  }),
  defineActions('aurora', {
    'documents.view': { severity: 'DEBUG', resource: 'document', description: 'Looked at a document' },
    'documents.create': {
      resource: 'document',
      description: 'Created a document',
      data: z.object({ after: z.object({ title: z.string(), pages: z.int(), shared: z.boolean() }) }),
    },
    'documents.update': {
      resource: 'document',
      description: 'Changed a document',
      data: change(z.object({ state: z.string(), pages: z.int(), tags: z.array(z.string()) })),
    },
    'documents.share': {
      resource: 'document',
      description: 'Shared a document',
      data: z.object({ with: z.email(), rights: z.enum(['view', 'comment', 'edit']) }),
    },
    'documents.download': {
      resource: 'document',
      description: 'Downloaded a document',
      data: z.object({ bytes: z.int(), format: z.enum(['pdf', 'docx', 'csv']) }),
    },
    'documents.render': {
      severity: 'ERROR',
      resource: 'document',
      description: 'Failed to render a document',
      data: z.object(failure),
    },
  }),
  defineActions('billing', {
    'invoices.issue': {
      resource: 'invoice',
      description: 'Issued an invoice',
      data: z.object({ after: invoice }),
    },
    'invoices.pay': { resource: 'invoice', description: 'Paid an invoice', data: z.object(money) },
    'invoices.delete': {
      severity: 'WARNING',
      resource: 'invoice',
      description: 'Deleted an invoice',
      data: z.object({ before: invoice }),
    },
    'payments.charge': {
      severity: 'ERROR',
      resource: 'payment',
      description: 'Failed to charge a payment',
      data: z.object({ ...money, ...failure }),
    },
    'subscriptions.change': {
      resource: 'subscription',
      description: 'Changed a subscription',
      data: change(z.object({ plan: z.string(), seats: z.int() })),
    },
  }),
  defineActions('matrix', {
    'jobs.run': {
      severity: 'DEBUG',
      resource: 'job',
      description: 'Ran a job',
      data: z.union([
        z.object({ job: z.string(), ...failure }),
        z.object({ job: z.string(), milliseconds: z.int() }),
      ]),
    },
    'database.unreachable': {
      severity: 'CRITICAL',
      description: 'Could not reach the database',
      data: z.object({ host: z.string(), error: z.string() }),
    },
  }),
  defineActions('infinity', {
    'settings.update': {
      resource: 'settings',
      description: 'Changed the settings',
      data: change(z.object({ theme: z.string(), density: z.string() })),
    },
  }),
];
