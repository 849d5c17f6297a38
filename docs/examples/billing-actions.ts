/** What the module billing records, described once: for the compiler, for the client and for the server. */
import { defineActions } from 'reel/client';
import { z } from 'zod';

const Invoice = z.object({ amount: z.number(), card: z.string() });

export const actions = defineActions('billing', {
  'invoices.delete': {
    severity: 'WARNING',
    resource: 'invoice',
    description: 'An invoice is deleted for good',
    data: z.object({ before: Invoice, reason: z.string() }),
    redact: [{ path: 'before.card', how: 'mask' }],
  },
  'sessions.end': {},
});
