import type { Readable } from 'node:stream';
import { z } from 'zod';
import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { fetchedKey, inputKey } from '../../shared/wire/keys.ts';
import { sha256 } from './canonical.ts';
import type { Context } from './context.ts';
import { Errands, type Failure } from './errands.ts';
import { nameOfNeed, type ReferenceNeed } from './needs.ts';
import { openReference } from './open-reference.ts';
import { readText } from './read-segments.ts';
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
      // A rebuild must not read it anew: it may be another by then.
      await store.put(fetchedKey(job, sha256(url)), JSON.stringify({ url, ...content }));
      state.noteFetched(job, url, content, clock.now());
    });
  }
}

const FETCHED_KEY = /^jobs\/([^/]+)\/fetched\//;
const fetchedSchema = z.object({ url: z.string(), sha256: z.string(), sizeBytes: z.number().int() });

export const isFetchedKey = (key: string): boolean => FETCHED_KEY.test(key);

/** R11: what was read in a former life stands, once its job is back. */
export async function restoreFetched(
  { state, store, log, clock }: Pick<Context, 'state' | 'store' | 'log' | 'clock'>,
  key: string,
): Promise<void> {
  const job = FETCHED_KEY.exec(key)?.[1] as JobId;
  const data = parseFetched(await readText(store, key));
  if (data === undefined || state.spec(job) === undefined)
    log.error({ key }, 'an input by reference is not known any more; it will be read anew');
  else state.noteFetched(job, data.url, data, clock.now());
}

function parseFetched(text: string): z.infer<typeof fetchedSchema> | undefined {
  try {
    return fetchedSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
