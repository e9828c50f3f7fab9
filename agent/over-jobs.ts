import type { Logger } from 'pino';
import { type Clock, pause } from '../shared/clock.ts';
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
/** A unit so young is hardly a copy of anything that is over: its start is not held up by a request. */
const FRESH_MS = 1_000;

/** Which jobs are over, by the marks that the coordinator leaves in the pool's store. */
export class OverJobs {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** The highest epoch whose units are copies. */
  readonly #epochs = new Map<JobId, number>();

  constructor({ store, clock, log }: { store: ObjectStore; clock: Clock; log: Logger }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * The units among these that belong to a job which is over. One request for each job that is not known to be,
   * but for units just issued; none is taken for over while the store cannot be asked, or once the signal aborts. Never rejects.
   */
  async among(units: readonly UnitBody[], signal: AbortSignal): Promise<ReadonlySet<UnitBody>> {
    const unknown = units.filter((unit) => !this.#isOver(unit) && !this.#isFresh(unit));
    const jobs = new Set(unknown.map(({ job }) => job));
    const late = new AbortController();
    const looks = Promise.all([...jobs].map((job) => this.#look(job)));
    await Promise.race([looks, pause(LONGEST_LOOK_MS, AbortSignal.any([signal, late.signal]))]);
    late.abort();
    return new Set(units.filter((unit) => this.#isOver(unit)));
  }

  #isOver({ job, unit }: UnitBody): boolean {
    return epochOfUnit(unit) <= (this.#epochs.get(job) ?? -1);
  }

  /** Not where its time is to come by this clock: then nothing is known of its age. */
  #isFresh({ issuedAt }: UnitBody): boolean {
    const age = this.#clock.now() - issuedAt;
    return age >= 0 && age < FRESH_MS;
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
