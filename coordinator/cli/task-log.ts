import type { IncomingMessage } from 'node:http';
import { isCode } from '../../shared/errors.ts';
import type { Client } from './client.ts';
import type { LogStream } from './log-lines.ts';

/** One stream of one task, as the coordinator has it now. */
export interface LogAddress {
  job: string;
  index: number;
  stream: LogStream;
  attempt?: string | undefined;
}

export interface OpenLog {
  /** The bytes from the position asked for. */
  bytes: AsyncIterable<Uint8Array>;
  /** Nothing will follow. */
  complete: boolean;
}

const RANGE_NOT_SATISFIABLE = 416;
const PARTIAL = 206;

/** Undefined when there is no log of it: it has not printed, or not begun. */
export async function openLog(
  client: Client,
  at: LogAddress,
  from = 0,
  signal?: AbortSignal,
): Promise<OpenLog | undefined> {
  const path = `/v1/jobs/${at.job}/tasks/${at.index}/logs/${at.stream}`;
  const headers = from > 0 ? { range: `bytes=${from}-` } : {};
  try {
    const response = await client.open({
      method: 'GET',
      path,
      query: { attempt: at.attempt },
      headers,
      signal,
      alsoFine: [RANGE_NOT_SATISFIABLE],
    });
    return { bytes: bytesFrom(response, from), complete: response.headers['x-clobi-complete'] === '1' };
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** A server that does not know ranges answers with everything: what was asked to be left out is dropped here. */
async function* bytesFrom(response: IncomingMessage, from: number): AsyncGenerator<Uint8Array> {
  if (response.statusCode === RANGE_NOT_SATISFIABLE) {
    response.resume();
    return;
  }
  let skip = response.statusCode === PARTIAL ? 0 : from;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (skip < chunk.length) yield chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
  }
}
