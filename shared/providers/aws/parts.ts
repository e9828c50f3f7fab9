import { ClobiError } from '../../errors.ts';

const MIB = 1024 * 1024;
/** S3 takes parts from 5 MiB on, the last excepted, and 10,000 of them. */
const LEAST_PART_BYTES = 8 * MIB;
const MOST_PARTS = 10_000;
const MOST_BYTES = 5 * 1024 * 1024 * MIB;

/** What is no larger goes as one request. */
export const SINGLE_BYTES = LEAST_PART_BYTES;

/** Size of all parts but the last. The same size of object always gives the same, or no upload could be resumed. */
export function partBytesFor(sizeBytes: number): number {
  if (sizeBytes > MOST_BYTES)
    throw new ClobiError('LIMIT_EXCEEDED', `An object of ${sizeBytes} bytes is over S3's limit of 5 TiB.`);
  return Math.max(LEAST_PART_BYTES, Math.ceil(sizeBytes / MOST_PARTS / MIB) * MIB);
}

export const partCountOf = (sizeBytes: number): number =>
  Math.max(1, Math.ceil(sizeBytes / partBytesFor(sizeBytes)));

/** Size of the part with this number, from 1. */
export const sizeOfPart = (number: number, sizeBytes: number): number =>
  Math.min(partBytesFor(sizeBytes), sizeBytes - (number - 1) * partBytesFor(sizeBytes));
