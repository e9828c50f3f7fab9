import { randomBytes } from 'node:crypto';
import { copyFile, open, rename, rm } from 'node:fs/promises';
import { makeDirectories } from '../../shared/make-directories.ts';
import { ClobiError, messageOf } from '../../shared/errors.ts';
import type { PutBody } from '../../shared/providers/ports.ts';
import { makeParents, placeInside } from '../../shared/safe-path.ts';
import type { Context } from './context.ts';
import { refuseOwn } from './own-places.ts';
import { openPlace } from './places.ts';

/** Where `outputs.to` leads: a prefix in a bucket or container, or a directory of the coordinator's machine. */
export interface PublishTarget {
  /** The file is there whole, or as it was before. */
  put(path: string, body: PutBody): Promise<void>;
  remove(path: string): Promise<void>;
}

type Stores = Pick<Context, 'config' | 'store' | 'pools'>;

/** Rejects with `INVALID_JOB` what may not be opened: a place among what Clobi itself keeps is none for outputs. */
export async function openTarget(at: Stores, url: string): Promise<PublishTarget> {
  await refuseOwn(at, url);
  if (url.startsWith('file:/')) return directoryTarget(url.slice('file:'.length));
  const { store, path: prefix } = await openPlace(at, url);
  const keyOf = (path: string): string => (prefix === '' ? path : `${prefix}/${path}`);
  return {
    put: async (path, body) => {
      await store.put(keyOf(path), body);
    },
    remove: (path) => store.remove([keyOf(path)]),
  };
}

/** Files under their own names, as `clobi outputs --to` writes them. */
function directoryTarget(directory: string): PublishTarget {
  return {
    async put(path, body) {
      makeDirectories(directory);
      const file = placeInside(directory, path);
      await makeParents(directory, file);
      const part = `${file}.${randomBytes(4).toString('hex')}.clobi-part`;
      try {
        await writeWhole(part, body);
        await rename(part, file);
      } finally {
        await rm(part, { force: true });
      }
    },
    remove: (path) => rm(placeInside(directory, path), { force: true }),
  };
}

async function writeWhole(file: string, body: PutBody): Promise<void> {
  const isFile = typeof body === 'object' && 'file' in body;
  if (isFile) await copyFile(body.file, file);
  await using handle = await open(file, isFile ? 'r+' : 'wx');
  if (!isFile) await handle.writeFile(body);
  await handle.chmod(0o644);
  await handle.sync();
}

const PROBE = '.clobi-write-check';
/** So long a place that could be written to is believed to be so. */
const BELIEVED_MS = 5 * 60_000;
const writable = new Map<string, number>();

/** Rejects with `INVALID_JOB` when nothing can be put there: better now than after the work. */
export async function checkTarget(at: Stores & Pick<Context, 'clock'>, url: string): Promise<void> {
  const now = at.clock.now();
  if ((writable.get(url) ?? 0) > now) return;
  try {
    const target = await openTarget(at, url);
    await target.put(PROBE, 'Clobi looks whether it may write here; this file may be removed.\n');
    // Who may write need not be allowed to remove.
    await target.remove(PROBE).catch(() => undefined);
  } catch (error) {
    if (error instanceof ClobiError && error.code === 'INVALID_JOB') throw error;
    throw new ClobiError('INVALID_JOB', `outputs.to: "${url}" cannot be written to: ${messageOf(error)}`, {
      cause: error,
    });
  }
  writable.set(url, now + BELIEVED_MS);
}
