import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { messageOf } from '../errors.ts';

/** A file of this machine that the store must have as `inputs/<sha256>`. */
export interface Upload {
  sha256: string;
  file: string;
  sizeBytes: number;
}

export interface HashedFile extends Upload {
  executable: boolean;
}

/** Hashes files, each once however often it is asked for. */
export class FileHashes {
  readonly #byPath = new Map<string, Promise<HashedFile | { complaint: string }>>();
  readonly #uploads = new Map<string, Upload>();

  async of(path: string): Promise<HashedFile | { complaint: string }> {
    const before = this.#byPath.get(path);
    if (before !== undefined) return before;
    const made = hashFile(path).catch((error: unknown) => ({
      complaint: `"${path}" cannot be read: ${messageOf(error)}`,
    }));
    this.#byPath.set(path, made);
    const hashed = await made;
    if (!('complaint' in hashed)) {
      const { sha256, file, sizeBytes } = hashed;
      this.#uploads.set(sha256, { sha256, file, sizeBytes });
    }
    return hashed;
  }

  /** Every content once, though several files have it. */
  uploads(): Upload[] {
    return [...this.#uploads.values()];
  }
}

/** The size is that of the bytes hashed, so that the two agree though the file changes meanwhile. */
async function hashFile(file: string): Promise<HashedFile> {
  await using handle = await open(file, 'r');
  const { mode } = await handle.stat();
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 })) {
    const bytes = chunk as Buffer;
    hash.update(bytes);
    sizeBytes += bytes.length;
  }
  return { file, sha256: hash.digest('hex'), sizeBytes, executable: (mode & 0o111) !== 0 };
}
