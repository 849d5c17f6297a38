import { StreamFormat } from '../formats/format.js';
import type { BatchToSend, Delivered } from './kind.js';

/** What a batch says of itself, without the braces around it and without its entries. */
function membersOf({ streamId, tenantId, previous, first, last }: BatchToSend): string {
  return JSON.stringify({ stream: streamId, tenant_id: tenantId, previous, first, last }).slice(1, -1);
}

const aboutOf = ({ about }: BatchToSend): string => {
  const members = JSON.stringify(about).slice(1, -1);
  return members === '' ? '' : `,${members}`;
};

const COMMA = Buffer.from(',');

/** A batch as one JSON object; in format reel with its checkpoint and what is missing from it. */
export function batchBytes(batch: BatchToSend, format: StreamFormat): Buffer {
  const rest =
    format === StreamFormat.REEL ? `,"checkpoint":${JSON.stringify(batch.checkpoint)}${aboutOf(batch)}` : '';
  const entries = batch.entries.flatMap((each, index) => {
    const written = each.bytes ?? Buffer.from(each.text);
    return index === 0 ? [written] : [COMMA, written];
  });
  return Buffer.concat([
    Buffer.from(`{${membersOf(batch)},"entries":[`),
    ...entries,
    Buffer.from(`]${rest}}`),
  ]);
}

/** The line that ends a batch whose entries stand in lines of their own. */
export const closingLine = (batch: BatchToSend): string =>
  `{${membersOf(batch)},"checkpoint":${JSON.stringify(batch.checkpoint)}${aboutOf(batch)}}`;

/** An object as JSON text, with one more member at its end whose value is JSON text already. */
export const withMember = (object: object, name: string, text: string): string =>
  `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(name)}:${text}}`;

/** Which stream, tenant and entry something is of: each name begins with `reel` and what parts it from the word. */
export const originOf = (
  { entry }: Pick<Delivered, 'entry'>,
  { streamId, tenantId }: Pick<BatchToSend, 'streamId' | 'tenantId'>,
  parting: '_' | '.',
): Record<string, string | number | null> => ({
  [`reel${parting}stream`]: streamId,
  [`reel${parting}tenant`]: tenantId,
  [`reel${parting}id`]: entry.id,
  [`reel${parting}sequence`]: entry.sequence,
});
