import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ClobiError } from '../../shared/errors.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { withRetries } from './retry.ts';

export interface InputCacheOptions {
  directory: string;
  store: ObjectStore;
  /** Files longest unused are removed beyond this. Files in use are never removed, so it may be exceeded meanwhile. */
  maxBytes?: number;
}

/** What is wanted: the content, and where the store has it. */
export interface CachedContent {
  sha256: string;
  sizeBytes: number;
  key: string;
}

interface Entry {
  sizeBytes: number;
  lastUsed: number;
  users: number;
}

/** A download under way, for everybody who waits for it. */
interface Fetch {
  done: Promise<void>;
  waiting: number;
  abort: AbortController;
}

const DEFAULT_MAX_BYTES = 10 * 1024 ** 3;
const TEMPORARY = 'incoming-';
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Inputs of all slots of an agent by their content: `<directory>/<sha256>`. A content is fetched once, however many ask,
 * and is checked against its hash and size before it is anybody's. Tasks get copies, so none can spoil it.
 */
export class InputCache {
  readonly #options: Required<InputCacheOptions>;
  readonly #entries = new Map<string, Entry>();
  readonly #fetching = new Map<string, Fetch>();

  private constructor(options: Required<InputCacheOptions>) {
    this.#options = options;
  }

  /** Takes over what an earlier life of the agent has in the directory. */
  static async open(options: InputCacheOptions): Promise<InputCache> {
    const cache = new InputCache({ maxBytes: DEFAULT_MAX_BYTES, ...options });
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(options.directory)) await cache.#adopt(name);
    return cache;
  }

  /** Calls `use` with a file of that content, which stays there meanwhile. Rejects when the store has no such content. */
  async use<T>(content: CachedContent, use: (file: string) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const entry = await this.#obtain(content, signal);
    entry.users += 1;
    entry.lastUsed = Date.now();
    try {
      return await use(this.#pathOf(content.sha256));
    } finally {
      entry.users -= 1;
    }
  }

  async #obtain(content: CachedContent, signal?: AbortSignal): Promise<Entry> {
    for (;;) {
      signal?.throwIfAborted();
      const entry = this.#entries.get(content.sha256);
      if (entry !== undefined && (await this.#isThere(content, entry))) return entry;
      await this.#fetchOnce(content, signal);
    }
  }

  /** Somebody may have tidied the disk. */
  async #isThere({ sha256, sizeBytes }: CachedContent, entry: Entry): Promise<boolean> {
    entry.users += 1;
    const found = await stat(this.#pathOf(sha256)).catch(() => undefined);
    entry.users -= 1;
    if (found?.size === sizeBytes) {
      await utimes(this.#pathOf(sha256), new Date(), new Date()).catch(() => undefined);
      return this.#entries.get(sha256) === entry;
    }
    this.#entries.delete(sha256);
    return false;
  }

  /** The fetch belongs to all who wait for it: it ends early only when the last of them gives up. */
  async #fetchOnce(content: CachedContent, signal?: AbortSignal): Promise<void> {
    const fetch = this.#fetching.get(content.sha256) ?? this.#startFetch(content);
    fetch.waiting += 1;
    try {
      await (signal === undefined ? fetch.done : Promise.race([fetch.done, rejectOnAbort(signal)]));
    } finally {
      fetch.waiting -= 1;
      if (fetch.waiting === 0) this.#giveUp(content.sha256, fetch);
    }
  }

  #startFetch(content: CachedContent): Fetch {
    const abort = new AbortController();
    const done = this.#fetch(content, abort.signal);
    const fetch = { done, waiting: 0, abort };
    const forget = (): void => this.#forget(content.sha256, fetch);
    done.then(forget, forget);
    this.#fetching.set(content.sha256, fetch);
    return fetch;
  }

  #giveUp(sha256: string, fetch: Fetch): void {
    this.#forget(sha256, fetch);
    fetch.abort.abort();
  }

  #forget(sha256: string, fetch: Fetch): void {
    if (this.#fetching.get(sha256) === fetch) this.#fetching.delete(sha256);
  }

  async #fetch(content: CachedContent, signal: AbortSignal): Promise<void> {
    await withRetries(() => this.#download(content, signal), { signal });
    this.#entries.set(content.sha256, { sizeBytes: content.sizeBytes, lastUsed: Date.now(), users: 0 });
    await this.#evict(content.sha256);
  }

  async #download({ key, sha256, sizeBytes }: CachedContent, signal: AbortSignal): Promise<void> {
    const object = await this.#options.store.get(key);
    if (object === undefined) throw new ClobiError('NOT_FOUND', `There is no object "${key}".`);
    const temporary = join(this.#options.directory, TEMPORARY + randomUUID());
    const hash = createHash('sha256');
    let bytes = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        bytes += chunk.length;
        done(null, chunk);
      },
    });
    try {
      await pipeline(object.body, meter, createWriteStream(temporary, { mode: 0o600 }), { signal });
      const found = hash.digest('hex');
      if (bytes !== sizeBytes || found !== sha256)
        throw new ClobiError(
          'CONFLICT',
          `The object "${key}" is not what the job was submitted with: it has ${bytes} bytes and SHA-256 ${found}, expected were ${sizeBytes} and ${sha256}.`,
        );
      await rename(temporary, this.#pathOf(sha256));
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #evict(keep: string): Promise<void> {
    const entries = [...this.#entries].sort(([, a], [, b]) => a.lastUsed - b.lastUsed);
    let total = entries.reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0);
    for (const [sha256, { sizeBytes, users }] of entries) {
      if (total <= this.#options.maxBytes) return;
      if (users > 0 || sha256 === keep) continue;
      this.#entries.delete(sha256);
      total -= sizeBytes;
      await rm(this.#pathOf(sha256), { force: true });
    }
  }

  async #adopt(name: string): Promise<void> {
    const path = join(this.#options.directory, name);
    if (name.startsWith(TEMPORARY)) await rm(path, { force: true });
    if (!SHA256.test(name)) return;
    const { size, mtimeMs } = await stat(path);
    this.#entries.set(name, { sizeBytes: size, lastUsed: mtimeMs, users: 0 });
  }

  #pathOf(sha256: string): string {
    return join(this.#options.directory, sha256);
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
