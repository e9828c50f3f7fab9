import { isUtf8 } from 'node:buffer';
import { ClobiError } from '../../shared/errors.ts';

/** Whole lines that came together; the first of them is line number `first`, counted from 1. */
export interface Lines {
  first: number;
  texts: string[];
}

const NEWLINE = 10;
/** Some writers of UTF-8 begin with it; it is no part of the text. */
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * The lines of a text as its bytes come, without their ends. Rejects with `INVALID_JOB` where it is no UTF-8, and with
 * `LIMIT_EXCEEDED` when a line has more than `limitOf(its number)` bytes: a line without an end must not fill the memory.
 */
export async function* linesOf(
  bytes: AsyncIterable<Uint8Array>,
  limitOf: (line: number) => number,
): AsyncGenerator<Lines> {
  let open: Buffer[] = [];
  let openBytes = 0;
  let first = 1;
  const take = (last: Buffer): Lines => {
    const whole = open.length === 0 ? last : Buffer.concat([...open, last]);
    open = [];
    openBytes = 0;
    const text = decode(whole, first);
    const texts = (first === 1 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text).split('\n');
    const lines = { first, texts };
    first += texts.length;
    return lines;
  };
  for await (const part of bytes) {
    const chunk = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    const end = chunk.lastIndexOf(NEWLINE);
    if (openBytes + (end === -1 ? chunk.length : chunk.indexOf(NEWLINE)) > limitOf(first))
      throw new ClobiError('LIMIT_EXCEEDED', `Line ${first} has more than ${limitOf(first)} bytes.`);
    if (end !== -1) yield take(chunk.subarray(0, end));
    const rest = chunk.subarray(end + 1);
    if (rest.length > 0) open.push(rest);
    openBytes += rest.length;
  }
  if (openBytes > 0) yield take(Buffer.alloc(0));
}

function decode(bytes: Buffer, line: number): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new ClobiError('INVALID_JOB', `From line ${line} on there are bytes that are no UTF-8 text.`);
}
