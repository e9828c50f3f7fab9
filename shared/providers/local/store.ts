import { randomUUID } from 'node:crypto';
import { link, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { makeDirectories } from '../../make-directories.ts';
import { ClobiError, messageOf } from '../../errors.ts';
import type {
  GetOptions,
  ObjectInfo,
  ObjectStore,
  PutBody,
  StoreCapabilities,
  StoredObject,
} from '../ports.ts';
import { ignoreMissing, isMissing, makeDirectory, removeAbandoned, syncDirectory } from './directories.ts';
import { storeError } from './errors.ts';
import { pathOfKey } from './key-path.ts';
import { inspect, openExisting, writeTemporary } from './object-file.ts';
import { walkKeys } from './walk.ts';

const CAPABILITIES: StoreCapabilities = { putIfAbsent: true, presign: false, controlPollMs: 250 };

const LIST_LIMIT = 1_000;
/** `remove` may take a directory away between our making it and our using it. */
const PLACE_ATTEMPTS = 20;

/**
 * An object store on a directory of this machine: a file an object (key-path.ts). An object is written under `%tmp`, synced, then
 * renamed or linked into place and its directory synced: a reader sees a whole object or none, a crash leaves a temporary
 * file at most, and `put` is durable when it resolves. A removal is not synced: after a power cut the object may be back.
 */
export class FileStore implements ObjectStore {
  readonly capabilities = CAPABILITIES;
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async open(root: string): Promise<FileStore> {
    try {
      makeDirectories(temporaryDirectory(root), 0o700);
      await removeAbandoned(temporaryDirectory(root));
    } catch (error) {
      throw new ClobiError(
        'INVALID_CONFIG',
        `The directory "${root}" cannot be used as a store: ${messageOf(error)}.`,
        {
          context: { path: root },
          cause: error,
        },
      );
    }
    return new FileStore(root);
  }

  async put(key: string, body: PutBody, options: { ifAbsent?: boolean } = {}): Promise<ObjectInfo> {
    const path = this.#pathOf(key);
    const temporary = join(temporaryDirectory(this.#root), randomUUID());
    try {
      const info = await writeTemporary(temporary, body);
      await this.#place(path, () =>
        options.ifAbsent === true ? link(temporary, path) : rename(temporary, path),
      );
      return { key, ...info };
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === 'EEXIST'
        ? alreadyThere(key, error)
        : storeError(this.#root, error);
    } finally {
      await rm(temporary, { force: true }).catch(ignoreMissing);
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    const file = await openExisting(this.#pathOf(key));
    if (file === undefined)
      throw new ClobiError('NOT_FOUND', `There is no object "${key}".`, { context: { key } });
    let isStreaming = false;
    try {
      const { content, ...info } = await inspect(file);
      if (options.ifNoneMatch === info.etag) return undefined;
      const from = options.range?.from ?? 0;
      const to = Math.min(options.range?.to ?? Infinity, info.sizeBytes - 1);
      if (content !== undefined || from > to)
        return { key, ...info, body: bytesOf(content?.subarray(from, to + 1)) };
      isStreaming = true;
      return { key, ...info, body: file.createReadStream({ start: from, end: to }) };
    } finally {
      if (!isStreaming) await file.close();
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const file = await openExisting(this.#pathOf(key));
    if (file === undefined) return undefined;
    try {
      const { sizeBytes, etag } = await inspect(file);
      return { key, sizeBytes, etag };
    } finally {
      await file.close();
    }
  }

  async list(prefix: string, after = ''): Promise<ObjectInfo[]> {
    const found: ObjectInfo[] = [];
    let batch: string[] = [];
    const look = async (): Promise<void> => {
      const infos = await Promise.all(batch.map((key) => this.head(key)));
      found.push(...infos.filter((info) => info !== undefined));
      batch = [];
    };
    for await (const key of walkKeys(this.#root, prefix, after)) {
      batch.push(key);
      if (found.length + batch.length === LIST_LIMIT) await look();
      if (found.length === LIST_LIMIT) return found;
    }
    await look();
    return found;
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const path = this.#pathOf(key);
      await unlink(path).catch(ignoreMissing);
      await this.#pruneEmpty(dirname(path));
    }
  }

  async presign(): Promise<undefined> {
    return undefined;
  }

  #pathOf(key: string): string {
    return join(this.#root, pathOfKey(key));
  }

  /** Runs `move`, which puts the file at `path`, making the directories above where they are missing. */
  async #place(path: string, move: () => Promise<void>): Promise<void> {
    const directory = dirname(path);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await move();
        break;
      } catch (error) {
        if (!isMissing(error) || attempt === PLACE_ATTEMPTS) throw error;
        await makeDirectory(directory).catch(ignoreMissing);
      }
    }
    await syncDirectory(directory).catch(ignoreMissing);
  }

  /** Removes directories that hold nothing any more, from here upwards. */
  async #pruneEmpty(directory: string): Promise<void> {
    for (let path = directory; relative(this.#root, path) !== ''; path = dirname(path)) {
      try {
        await rmdir(path);
      } catch {
        return;
      }
    }
  }
}

const temporaryDirectory = (root: string): string => join(root, '%tmp');

const bytesOf = (content: Buffer | undefined): Readable =>
  Readable.from(content === undefined || content.length === 0 ? [] : [content]);

const alreadyThere = (key: string, cause: unknown): ClobiError =>
  new ClobiError('PRECONDITION_FAILED', `The object "${key}" exists already.`, { context: { key }, cause });
