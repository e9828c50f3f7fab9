import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { copyFile, open, type FileHandle } from 'node:fs/promises';
import type { PutBody } from '../ports.ts';
import { ignoreMissing } from './directories.ts';

/**
 * ETags: of an object up to this size the SHA-256 of its content, read and hashed when asked for (a control document takes
 * a millisecond, so a poll four times a second needs no cache, and nothing can get out of step with the file). Of a larger one
 * inode, time and size, because reading gigabytes to list a job's outputs would cost more than it tells.
 */
const HASHED_BYTES = 64 * 1024;

/** Writes the object where no reader looks, and syncs it. */
export async function writeTemporary(
  path: string,
  body: PutBody,
): Promise<{ sizeBytes: number; etag: string }> {
  const isFile = typeof body === 'object' && 'file' in body;
  if (isFile) await copyFile(body.file, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const file = await open(path, isFile ? 'r' : 'wx+', 0o644);
  try {
    if (!isFile) await file.writeFile(body);
    await file.chmod(0o644);
    await file.sync();
    const { sizeBytes, etag } = await inspect(file);
    return { sizeBytes, etag };
  } finally {
    await file.close();
  }
}

/** Undefined when there is none. */
export const openExisting = (path: string): Promise<FileHandle | undefined> =>
  open(path, 'r').catch(ignoreMissing);

/** Size and ETag, and the content where the ETag had to read it. */
export async function inspect(
  file: FileHandle,
): Promise<{ sizeBytes: number; etag: string; content?: Buffer }> {
  const status = await file.stat({ bigint: true });
  const sizeBytes = Number(status.size);
  if (sizeBytes > HASHED_BYTES) return { sizeBytes, etag: versionOf(status) };
  const content = Buffer.alloc(sizeBytes);
  await file.read(content, 0, sizeBytes, 0);
  return { sizeBytes, etag: createHash('sha256').update(content).digest('hex'), content };
}

const versionOf = ({ ino, mtimeNs, size }: BigIntStats): string =>
  `${ino.toString(16)}-${mtimeNs.toString(16)}-${size.toString(16)}`;
