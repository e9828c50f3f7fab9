import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { ClobiError } from '../../errors.ts';
import type { Bucket } from './bucket.ts';

/** The longest that S3 takes. URLs signed with temporary credentials end with these, whatever they say. */
const MOST_SECONDS = 7 * 24 * 3600;

export async function presign(
  bucket: Bucket,
  method: 'get' | 'put',
  key: string,
  expiresMs: number,
): Promise<string> {
  const at = bucket.at(key);
  refuseDots(at.Key);
  const expiresIn = expirySeconds(expiresMs);
  return method === 'get'
    ? bucket.ask('GetObject', key, () => getSignedUrl(bucket.client, new GetObjectCommand(at), { expiresIn }))
    : bucket.ask('PutObject', key, () =>
        getSignedUrl(bucket.client, new PutObjectCommand(at), { expiresIn }),
      );
}

export function expirySeconds(expiresMs: number): number {
  const seconds = Math.floor(expiresMs / 1_000);
  if (seconds >= 1 && seconds <= MOST_SECONDS) return seconds;
  throw new ClobiError(
    'LIMIT_EXCEEDED',
    `A URL cannot expire in ${expiresMs} ms; S3 takes 1 s to ${MOST_SECONDS} s.`,
    { context: { expiresMs } },
  );
}

/** Whoever uses a URL resolves its dots first, and comes to another key. */
export function refuseDots(key: string): void {
  if (!key.split('/').some((part) => part === '.' || part === '..')) return;
  throw new ClobiError('LIMIT_EXCEEDED', `No URL can name the key "${key}": it has a part of dots alone.`, {
    context: { key },
  });
}
