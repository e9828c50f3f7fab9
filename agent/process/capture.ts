import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { setInterval } from 'node:timers';
import type { LogRef } from '../../shared/wire/event.ts';
import { readWhatIsThere } from './pipes.ts';

/** Output up to this many bytes goes inline into the outcome. */
const MOST_INLINE_BYTES = 16 * 1024;
/** Longer output is uploaded in chunks of at most 4 MiB; a read from a pipe adds at most the difference. */
const FULL_CHUNK_BYTES = 4 * 1024 * 1024 - 64 * 1024;
const FLUSH_EVERY_MS = 1_000;
const KEPT_TAIL_BYTES = 128;

/** Stores the n-th chunk, with whatever retries are worth while. */
export type PutChunk = (number: number, body: Buffer) => Promise<unknown>;

/**
 * What one task prints on one stream. Short output stays here; longer output leaves in numbered chunks while the task runs, one
 * upload at a time, and while a full chunk is on its way the stream is not read: so a task cannot print faster than the store
 * takes it, and memory is bounded. Chunks are numbered from 0 without a gap (I6).
 */
export class Capture {
  readonly #stream: Readable;
  readonly #put: PutChunk;
  readonly #onData = (chunk: Buffer): void => this.#push(chunk);
  #parts: Buffer[] = [];
  #held = 0;
  #bytes = 0;
  #chunks = 0;
  #tail: Buffer = Buffer.alloc(0);
  #upload: Promise<void> | undefined;
  #failure: { cause: unknown } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: Readable, put: PutChunk) {
    this.#stream = stream;
    this.#put = put;
    stream.on('data', this.#onData);
  }

  /** The end of what was printed so far: up to 128 bytes, or all of it while it is short. */
  get tail(): string {
    return Buffer.concat([this.#tail, ...this.#parts]).toString('utf8');
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** While on, what was printed is uploaded each second, however little it is. */
  follow(on: boolean): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (!on) return;
    this.#flush();
    this.#timer = setInterval(() => this.#flush(), FLUSH_EVERY_MS);
  }

  /** Call when nobody can write any more. Rejects with the store's error when a chunk could not be stored. */
  async finish(): Promise<LogRef> {
    this.follow(false);
    await this.#readToEnd();
    const inline = this.#inline();
    if (inline !== undefined) {
      this.release();
      return { bytes: this.#bytes, inline };
    }
    this.#flush();
    await this.#upload;
    this.release();
    if (this.#failure !== undefined) throw this.#failure.cause;
    return { bytes: this.#bytes, chunks: this.#chunks };
  }

  /** Gives the stream back; further output is nobody's. */
  release(): void {
    clearInterval(this.#timer);
    this.#stream.off('data', this.#onData);
    this.#stream.resume();
  }

  /** Undefined when it must be stored. A segment is text, and would change bytes that are none. */
  #inline(): string | undefined {
    if (this.#failure !== undefined || this.#chunks > 0 || this.#bytes > MOST_INLINE_BYTES) return undefined;
    if (this.#bytes === 0) return '';
    const body = Buffer.concat(this.#parts);
    return isUtf8(body) ? body.toString('utf8') : undefined;
  }

  async #readToEnd(): Promise<void> {
    while (this.#upload !== undefined) {
      await this.#upload;
      await readWhatIsThere();
    }
  }

  #push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    // After a failed upload the rest is only counted, so that the task can end.
    if (this.#failure !== undefined) return;
    this.#parts.push(chunk);
    this.#held += chunk.length;
    if (this.#held < FULL_CHUNK_BYTES) return;
    if (this.#upload === undefined) this.#flush();
    this.#stream.pause();
  }

  #flush(): void {
    if (this.#held === 0 || this.#upload !== undefined || this.#failure !== undefined) return;
    const body = Buffer.concat(this.#parts);
    this.#tail = body.subarray(-KEPT_TAIL_BYTES);
    this.#parts = [];
    this.#held = 0;
    this.#upload = this.#store(body);
  }

  async #store(body: Buffer): Promise<void> {
    try {
      await this.#put(this.#chunks, body);
      this.#chunks += 1;
    } catch (cause) {
      this.#failure = { cause };
      this.#parts = [];
      this.#held = 0;
    }
    this.#upload = undefined;
    if (this.#held >= FULL_CHUNK_BYTES) this.#flush();
    else this.#stream.resume();
  }
}
