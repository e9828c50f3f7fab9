import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import type { Readable } from 'node:stream';
import { ClobiError, type ErrorCode } from '../../shared/errors.ts';
import type { Context } from './context.ts';
import { openPlace } from './places.ts';

const SILENCE_MS = 60_000;
const MOST_REDIRECTS = 5;

/** The bytes at the URL. Rejects with what keeps us from them. */
export async function openReference(
  at: Pick<Context, 'config' | 'store' | 'pools'>,
  url: string,
  signal: AbortSignal,
): Promise<Readable> {
  if (url.startsWith('https:')) return openHttps(new URL(url), { signal, left: MOST_REDIRECTS });
  const { store, path } = await openPlace(at, url);
  const object = await store.get(path);
  if (object === undefined) throw new ClobiError('NOT_FOUND', `There is nothing at ${url}.`);
  return object.body;
}

/** Never leaves https: what a plain request could reach inside our network is not the submitter's to read. */
async function openHttps(url: URL, at: { signal: AbortSignal; left: number }): Promise<Readable> {
  const answer = await request(url, at.signal);
  const status = answer.statusCode ?? 0;
  if (status === 200) return answer;
  answer.resume();
  const { location } = answer.headers;
  if (status < 300 || status >= 400 || location === undefined) throw wrongStatus(url, status);
  const next = new URL(location, url);
  if (next.protocol !== 'https:' || at.left === 0)
    throw new ClobiError(
      'CONFLICT',
      at.left === 0
        ? `${url.origin} redirects more than ${MOST_REDIRECTS} times.`
        : `${url.origin} redirects to ${next.protocol}//${next.host}, and only https is followed.`,
    );
  return openHttps(next, { ...at, left: at.left - 1 });
}

function request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = get(url, { signal, headers: { 'accept-encoding': 'identity' } }, resolve);
    const fail = (error: Error): void =>
      reject(
        new ClobiError('UNAVAILABLE', `${url.host} cannot be reached: ${error.message}.`, { cause: error }),
      );
    sent.setTimeout(SILENCE_MS, () => sent.destroy(new Error(`no sign of life for ${SILENCE_MS} ms`)));
    sent.on('error', fail);
  });
}

function wrongStatus(url: URL, status: number): ClobiError {
  const known: Readonly<Record<number, ErrorCode>> = {
    401: 'CLOUD_AUTH',
    403: 'CLOUD_AUTH',
    404: 'NOT_FOUND',
    410: 'NOT_FOUND',
    429: 'THROTTLED',
  };
  const code = known[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'CONFLICT');
  return new ClobiError(code, `${url.host} answered with HTTP status ${status}.`);
}
