import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ClobiError, messageOf } from '../../shared/errors.ts';

export interface PlainRequest {
  method: 'GET' | 'PUT';
  url: string;
  headers?: Readonly<Record<string, string | number>>;
  /** Opened once. */
  body?: () => Readable;
  signal?: AbortSignal | undefined;
}

/** So long may a store say nothing: a connection whose other end is gone would else be waited for for ever. */
const SILENCE_MS = 60_000;

/**
 * A request to a store by a URL that carries its own right. Nothing of ours goes along: no token, no cookie. Rejects with
 * `UNAVAILABLE` when nobody answers; any status is an answer.
 */
export async function openUrl(asked: PlainRequest): Promise<IncomingMessage> {
  const url = new URL(asked.url);
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: asked.method, headers: asked.headers, ...(asked.signal && { signal: asked.signal }) },
      resolve,
    );
    // Without the query: that is where the right is.
    const fail = (error: unknown): void =>
      reject(
        new ClobiError('UNAVAILABLE', `${url.origin}${url.pathname}: ${messageOf(error)}.`, { cause: error }),
      );
    sent.setTimeout(SILENCE_MS, () =>
      sent.destroy(new ClobiError('UNAVAILABLE', `no sign of life for ${SILENCE_MS} ms`)),
    );
    sent.on('error', fail);
    if (asked.body === undefined) sent.end();
    else pipeline(asked.body(), sent).catch((error: unknown) => sent.destroy(error as Error));
  });
}
