import type { Readable } from 'node:stream';
import { ClobiError } from '../../shared/errors.ts';
import { inputKey } from '../../shared/wire/keys.ts';
import type { Context } from './context.ts';
import { Errands, type Failure } from './errands.ts';
import { nameOfNeed, type ReferenceNeed } from './needs.ts';
import { openReference } from './open-reference.ts';
import { withContent } from './scratch.ts';

const TRANSFERS = 4;

/**
 * Inputs by reference (`s3://`, `azblob://`, `https://`): read once for a job, into `inputs/<sha256>` of the primary store,
 * from where they go like every other input. Without a checksum in the job file it is what the first reading gave, which
 * stands for all tasks of the job, whatever the place holds later.
 */
export class References {
  readonly #context: Context;
  readonly #errands: Errands;

  constructor(context: Context) {
    this.#context = context;
    this.#errands = new Errands({ concurrency: TRANSFERS, clock: context.clock, log: context.log });
  }

  start(): void {
    // Begins when asked.
  }

  async stop(): Promise<void> {
    await this.#errands.stop();
  }

  bring(need: ReferenceNeed): Promise<Failure | undefined> {
    return this.#errands.run(nameOfNeed(need), (signal) => this.#fetch(need, signal));
  }

  async #fetch(need: ReferenceNeed, signal: AbortSignal): Promise<void> {
    const { state, store, clock, config } = this.#context;
    const { job, url } = need;
    if (state.fetched(job, url) !== undefined) return;
    const there = need.sha256 === null ? undefined : await store.head(inputKey(need.sha256));
    if (need.sha256 !== null && there !== undefined) {
      state.noteFetched(job, url, { sha256: need.sha256, sizeBytes: there.sizeBytes }, clock.now());
      return;
    }
    const open = (): Promise<Readable> => openReference(this.#context, url, signal);
    await withContent({ home: config.home, open, signal }, async ({ body, ...content }) => {
      if (need.sha256 !== null && need.sha256 !== content.sha256)
        throw new ClobiError(
          'CONFLICT',
          `It has the SHA-256 ${content.sha256}, not ${need.sha256} as the job says.`,
        );
      await store.put(inputKey(content.sha256), body);
      state.noteFetched(job, url, content, clock.now());
    });
  }
}
