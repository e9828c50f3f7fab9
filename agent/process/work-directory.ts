import { chmodSync, mkdirSync, opendirSync, renameSync, rmdirSync, statSync } from 'node:fs';
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { messageOf } from '../../shared/errors.ts';

export const OUTPUT_DIRECTORY = 'outputs';
const MODE = 0o700;
/** File systems may stamp two changes within a tick of the kernel's clock alike. */
const CLOCK_TICK_MS = 50;
/** More directories than this waiting to be removed hold up the next task. */
const MOST_WAITING = 64;

/**
 * The work directory of a slot's tasks, one after the other. An empty one that is still the same directory serves the next task too;
 * anything else is moved aside and removed while the next task runs already.
 */
export class WorkDirectory {
  readonly #parent: string;
  readonly #log: Logger;
  #name = 0;
  #trash = 0;
  #inode: number | undefined;
  #generation = 0;
  #isReady = false;
  /** When the directory last changed, as far as that tells whether it changes from now on; else undefined. */
  #changedMs: number | undefined;
  #removals: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(parent: string, log: Logger) {
    this.#parent = parent;
    this.#log = log;
  }

  get path(): string {
    return join(this.#parent, `work-${this.#name}`);
  }

  /** Makes sure of an empty directory. Returns a number that is another one when the directory is. */
  prepare(options: { outputs: boolean }): number {
    if (!this.#isReady) this.#renew();
    this.#isReady = false;
    if (options.outputs) mkdirSync(join(this.path, OUTPUT_DIRECTORY), { mode: MODE });
    return this.#generation;
  }

  /** Moves what a task left aside, to be removed; resolves at once unless too much is waiting. */
  async clear(): Promise<void> {
    if (!this.#isFresh()) this.#renew();
    this.#isReady = true;
    if (this.#waiting > MOST_WAITING) await this.#removals;
  }

  /** Resolves when everything that can be removed is gone. */
  async close(): Promise<void> {
    if (this.#inode !== undefined) this.#moveAside();
    await this.#removals;
  }

  #isFresh(): boolean {
    if (this.#inode === undefined) return false;
    const stat = statSync(this.path, { throwIfNoEntry: false });
    if (stat?.isDirectory() !== true || stat.ino !== this.#inode || (stat.mode & 0o7777) !== MODE)
      return false;
    if (stat.ctimeMs === this.#changedMs) return true;
    if (!isEmpty(this.path)) return false;
    this.#changedMs = Date.now() - stat.ctimeMs > CLOCK_TICK_MS ? stat.ctimeMs : undefined;
    return true;
  }

  #renew(): void {
    if (this.#inode !== undefined) this.#moveAside();
    for (;;) {
      try {
        mkdirSync(this.path, { mode: MODE });
        chmodSync(this.path, MODE);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        this.#name += 1;
      }
    }
    this.#inode = statSync(this.path).ino;
    this.#changedMs = undefined;
    this.#generation += 1;
  }

  #moveAside(): void {
    this.#inode = undefined;
    this.#trash += 1;
    const aside = join(this.#parent, `trash-${this.#trash}`);
    try {
      renameSync(this.path, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#log.warn(
        { directory: this.path, err: error },
        'work directory could not be moved aside; the next has another name',
      );
      return;
    }
    this.#waiting += 1;
    this.#removals = this.#removals.then(async () => {
      await removeTree(aside).catch((error: unknown) => {
        this.#log.warn({ directory: aside }, `work directory could not be removed: ${messageOf(error)}`);
      });
      this.#waiting -= 1;
    });
  }
}

function isEmpty(path: string): boolean {
  try {
    const directory = opendirSync(path);
    try {
      const first = directory.readSync();
      if (first?.name !== OUTPUT_DIRECTORY || !first.isDirectory() || directory.readSync() !== null)
        return first === null;
    } finally {
      directory.closeSync();
    }
    rmdirSync(join(path, OUTPUT_DIRECTORY));
    return true;
  } catch {
    return false;
  }
}

/** Removes a tree, also one whose directories forbid it to us. Follows no links. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    await openUp(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function openUp(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) return;
  await chmod(path, MODE);
  for (const entry of await readdir(path, { withFileTypes: true }))
    if (entry.isDirectory()) await openUp(join(path, entry.name));
}
