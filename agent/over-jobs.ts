import type { Logger } from 'pino';
import { pause } from '../shared/clock.ts';
import { isCode } from '../shared/errors.ts';
import { epochOfUnit, type JobId } from '../shared/ids.ts';
import type { ObjectStore } from '../shared/providers/ports.ts';
import { overKey } from '../shared/wire/keys.ts';
import { overMarkSchema } from '../shared/wire/over-mark.ts';
import type { UnitBody } from '../shared/wire/unit.ts';
import { readText } from './read-text.ts';

/** So many finished jobs are remembered. */
const REMEMBERED_JOBS = 1_000;
const LARGEST_MARK_BYTES = 4096;
/** A store that does not answer must not hold up work for long: what is over and runs again is superseded, and does no harm. */
const LONGEST_LOOK_MS = 5_000;

/** Which jobs are over, by the marks that the coordinator leaves in the pool's store. */
export class OverJobs {
  readonly #store: ObjectStore;
  readonly #log: Logger;
  /** The highest epoch whose units are copies. */
  readonly #epochs = new Map<JobId, number>();

  constructor(store: ObjectStore, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /**
   * The units among these that belong to a job which is over. One request for each job that is not known to be; none is taken
   * for over while the store cannot be asked, or once the signal aborts. Never rejects.
   */
  async among(units: readonly UnitBody[], signal: AbortSignal): Promise<ReadonlySet<UnitBody>> {
    const jobs = new Set(units.filter((unit) => !this.#isOver(unit)).map(({ job }) => job));
    const late = new AbortController();
    const looks = Promise.all([...jobs].map((job) => this.#look(job)));
    await Promise.race([looks, pause(LONGEST_LOOK_MS, AbortSignal.any([signal, late.signal]))]);
    late.abort();
    return new Set(units.filter((unit) => this.#isOver(unit)));
  }

  #isOver({ job, unit }: UnitBody): boolean {
    return epochOfUnit(unit) <= (this.#epochs.get(job) ?? -1);
  }

  async #look(job: JobId): Promise<void> {
    try {
      const mark = await readText(this.#store, overKey(job), { maxBytes: LARGEST_MARK_BYTES });
      this.#remember(job, overMarkSchema.parse(JSON.parse(mark?.text ?? '')).epoch);
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) return;
      this.#log.warn({ jobId: job, err: error }, 'cannot see whether the job is over; taken for open');
    }
  }

  #remember(job: JobId, epoch: number): void {
    this.#epochs.set(job, epoch);
    const oldest = this.#epochs.size > REMEMBERED_JOBS ? this.#epochs.keys().next() : undefined;
    if (oldest?.done === false) this.#epochs.delete(oldest.value);
  }
}
