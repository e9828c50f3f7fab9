import { ClobiError } from '../../errors.ts';
import type { SendResult } from '../ports.ts';
import { NOT_IN_XML } from './xml.ts';

/** Of a message, and of all messages of a batch together. */
export const MAX_BYTES = 1024 * 1024;
/** Entries of one request. */
export const BATCH_SIZE = 10;

/** What SQS would refuse for good, said per body before it goes out with others; undefined when it may go. */
export function refusalOf(body: string): SendResult | undefined {
  const size = Buffer.byteLength(body);
  if (size > MAX_BYTES)
    return refused(`A message of ${size} bytes is over the limit of ${MAX_BYTES} bytes.`, { size });
  if (size === 0) return refused('SQS takes no empty message.', { size });
  const at = body.search(NOT_IN_XML);
  if (at < 0) return undefined;
  const point = (body.codePointAt(at) ?? 0).toString(16).padStart(4, '0');
  return refused(`SQS takes no message with the character U+${point}, as this one has at ${at}.`, { at });
}

const refused = (message: string, context: Record<string, unknown>): SendResult => ({
  ok: false,
  retryable: false,
  cause: new ClobiError('LIMIT_EXCEEDED', message, { context: { ...context, limit: MAX_BYTES } }),
});

/** Indices of the bodies to send, in batches that SQS takes: at most ten, and at most 1 MiB together. */
export function batchesOf(bodies: readonly string[], indices: readonly number[]): number[][] {
  const batches: number[][] = [];
  let room = 0;
  for (const index of indices) {
    const size = Buffer.byteLength(bodies[index] ?? '');
    const last = batches.at(-1);
    if (last === undefined || last.length === BATCH_SIZE || size > room) {
      batches.push([index]);
      room = MAX_BYTES - size;
    } else {
      last.push(index);
      room -= size;
    }
  }
  return batches;
}
