/**
 * A module that logs without end, to be killed at any moment: `writer.mjs URL TOKEN TENANT SPOOL LEDGER NAME`. Each entry
 * that log() took is in the ledger before the next is made, a line each. Told to end by SIGTERM, it drains the spool first.
 */
import { openSync, writeSync } from 'node:fs';
import { createReelClient } from '../../dist/reel-client/index.js';

const [url, token, tenantId, spool, ledger, name] = process.argv.slice(2);
const reel = createReelClient({ url, token, module: 'billing', spool, warn: () => {} });
const file = openSync(ledger, 'a');
let isOver = false;
process.on('SIGTERM', () => {
  isOver = true;
});
for (let count = 0; !isOver; count += 1) {
  const id = `${name}-${count}`;
  const data = { before: { amount: count }, reason: 'x'.repeat(count % 700) };
  if (reel.log('invoices.pay', { tenantId, resource: { type: 'invoice', id }, data }))
    writeSync(file, `${id}\n`);
  // Less than a server stores on two cores.
  if (count % 10 === 0) await new Promise((next) => setTimeout(next, 10));
}
const isSent = await reel.flush(300_000);
await reel.close();
process.exit(isSent && reel.stats().spooled === 0 ? 0 : 1);
