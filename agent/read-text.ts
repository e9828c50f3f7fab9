import { ClobiError } from '../shared/errors.ts';
import type { ObjectStore } from '../shared/providers/ports.ts';

export interface ReadTextOptions {
  /** A larger object rejects with `LIMIT_EXCEEDED`. */
  maxBytes: number;
  ifNoneMatch?: string | undefined;
}

/** A small object as text; undefined when its ETag is still `ifNoneMatch`. Rejects with `NOT_FOUND`. */
export async function readText(
  store: ObjectStore,
  key: string,
  { maxBytes, ifNoneMatch }: ReadTextOptions,
): Promise<{ text: string; etag: string } | undefined> {
  const object = await store.get(key, ifNoneMatch === undefined ? {} : { ifNoneMatch });
  if (object === undefined) return undefined;
  if (object.sizeBytes > maxBytes) {
    object.body.destroy();
    throw new ClobiError(
      'LIMIT_EXCEEDED',
      `${key} has ${object.sizeBytes} bytes; at most ${maxBytes} are read.`,
    );
  }
  const parts: Buffer[] = [];
  for await (const part of object.body) parts.push(part as Buffer);
  return { text: Buffer.concat(parts).toString('utf8'), etag: object.etag };
}
