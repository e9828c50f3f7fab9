import type { Logger } from 'pino';
import { pause } from '../shared/clock.ts';
import type { JobId } from '../shared/ids.ts';
import type { ObjectStore } from '../shared/providers/ports.ts';
import { overKey } from '../shared/wire/keys.ts';

/** So many finished jobs are remembered. */
const REMEMBERED_JOBS = 1_000;
/** A store that does not answer must not hold up work for long: what is over and runs again is superseded, and does no harm. */
const LONGEST_LOOK_MS = 5_000;

/** Which jobs are over, by the marks that the coordinator leaves in the pool's store. */
export class OverJobs {
  readonly #store: ObjectStore;
  readonly #log: Logger;
  readonly #over = new Set<JobId>();

  constructor(store: ObjectStore, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** Those of these jobs that are over. One request for each that is not known to be; never rejects. */
  async among(jobs: ReadonlySet<JobId>): Promise<ReadonlySet<JobId>> {
    await Promise.all([...jobs].filter((job) => !this.#over.has(job)).map((job) => this.#look(job)));
    return new Set([...jobs].filter((job) => this.#over.has(job)));
  }

  async #look(job: JobId): Promise<void> {
    const mark = this.#store.head(overKey(job)).catch((error: unknown) => {
      this.#log.warn({ jobId: job, err: error }, 'cannot see whether the job is over; taken for open');
      return undefined;
    });
    const looked = new AbortController();
    const late = pause(LONGEST_LOOK_MS, looked.signal).then(() => undefined);
    const found = await Promise.race([mark, late]);
    looked.abort();
    if (found !== undefined) this.#remember(job);
  }

  #remember(job: JobId): void {
    this.#over.add(job);
    const oldest = this.#over.size > REMEMBERED_JOBS ? this.#over.values().next() : undefined;
    if (oldest?.done === false) this.#over.delete(oldest.value);
  }
}
