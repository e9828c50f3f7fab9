import { newJobId, type JobId } from '../../shared/ids.ts';
import type { JobSpec, Submission } from '../../shared/job-spec.ts';
import { faultPoint } from '../../shared/fault.ts';
import { specKey } from '../../shared/wire/keys.ts';
import type { NewJob } from '../state/store.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import { checkKind, checkSpec } from './check-submission.ts';
import { checkTarget } from './publish-target.ts';
import type { Context } from './context.ts';
import { type ItemBatches, putItems, takeItems } from './items.ts';

export interface Submitted {
  job: JobId;
  /** False when the idempotency key was known. */
  created: boolean;
}

interface Waiting {
  job: NewJob;
  resolve: (reply: Submitted) => void;
  reject: (error: unknown) => void;
}

/**
 * R1: items → row → spec object → acknowledged → reply. Submits that arrive while others are being written share the next
 * transaction. Items are there before the row and belong to nobody until then. A job staged in a former life is finished by
 * `recover`.
 */
export class Submitter {
  readonly #context: Context;
  readonly #taking = new Set<Promise<unknown>>();
  #waiting: Waiting[] = [];
  #draining: Promise<void> | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Resolves when the job is durable. Rejects with INVALID_JOB, CONFLICT or LIMIT_EXCEEDED before anything is written. */
  async submit({ spec, items }: Submission): Promise<Submitted> {
    if (items !== undefined) return this.submitItems(spec, [items.map(canonicalJson)]);
    checkKind(spec, false);
    await this.#check(spec);
    return this.#stage(spec, null);
  }

  /** The same with items that come bit by bit. When they break off, or one of them is wrong, nothing is left of the job. */
  async submitItems(spec: JobSpec, batches: ItemBatches): Promise<Submitted> {
    const taken = this.#takeAndStage(spec, batches);
    this.#taking.add(taken);
    try {
      return await taken;
    } finally {
      this.#taking.delete(taken);
    }
  }

  /** A job with the items of another one. */
  async submitAgain(spec: JobSpec, itemSet: number | null): Promise<Submitted> {
    await this.#check(spec);
    return this.#stage(spec, itemSet);
  }

  /** Finishes what a former life had staged. */
  async recover(): Promise<number> {
    const loose = this.#context.state.dropLooseItemSets();
    if (loose > 0) this.#context.log.info({ sets: loose }, 'dropped items whose submit had broken off');
    const staged = this.#context.state.stagedJobs();
    await this.#finish(staged);
    if (staged.length > 0)
      this.#context.log.info({ jobs: staged.length }, 'finished jobs staged before the restart');
    return staged.length;
  }

  /** Resolves when no submit is under way. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#taking);
    await this.#draining;
  }

  async #check(spec: JobSpec): Promise<void> {
    checkSpec(spec, this.#context);
    if (spec.publish !== undefined) await checkTarget(this.#context, spec.publish);
  }

  async #takeAndStage(spec: JobSpec, batches: ItemBatches): Promise<Submitted> {
    const { state } = this.#context;
    checkKind(spec, true);
    await this.#check(spec);
    const set = state.newItemSet();
    try {
      await takeItems(state, { set, count: spec.tasks.count, batches });
      return await this.#stage(spec, set);
    } finally {
      // Stays where a job names it now.
      state.dropItemSet(set);
    }
  }

  #stage(spec: JobSpec, itemSet: number | null): Promise<Submitted> {
    const job: NewJob = {
      id: newJobId(),
      spec,
      specSha256: sha256(canonicalJson(spec)),
      itemSet,
      submittedAt: this.#context.clock.now(),
    };
    return new Promise<Submitted>((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  async #drain(): Promise<void> {
    // Submits of the same turn come together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#submitBatch(batch);
    }
    this.#draining = undefined;
  }

  async #submitBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      faultPoint('submit.before-row');
      const staged = this.#context.state.transaction(() =>
        batch.map(({ job }) => this.#context.state.stageJob(job)),
      );
      faultPoint('submit.after-row');
      await this.#finish(this.#unacknowledged(batch, staged));
      batch.forEach(({ resolve }, at) => {
        const result = staged[at];
        if (result !== undefined) resolve({ job: result.job, created: result.created });
      });
    } catch (error) {
      if (batch.length === 1) batch[0]?.reject(error);
      // One bad job must not refuse its neighbours.
      else for (const one of batch) await this.#submitBatch([one]);
    }
  }

  /** The jobs whose spec is still to be put: new ones, and a known one whose first submit did not get to its end. */
  #unacknowledged(
    batch: readonly Waiting[],
    staged: readonly { job: JobId; created: boolean; acknowledged: boolean }[],
  ): NewJob[] {
    const jobs = new Map<JobId, NewJob>();
    staged.forEach((result, at) => {
      const waiting = batch[at];
      if (result.created && waiting !== undefined) jobs.set(result.job, waiting.job);
    });
    const unfinished = staged.filter((result) => !result.acknowledged && !jobs.has(result.job));
    if (unfinished.length > 0) {
      const wanted = new Set(unfinished.map((result) => result.job));
      for (const job of this.#context.state.stagedJobs()) if (wanted.has(job.id)) jobs.set(job.id, job);
    }
    return [...jobs.values()];
  }

  async #finish(jobs: readonly NewJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const { state, clock, signals, metrics, log } = this.#context;
    await Promise.all(jobs.map((job) => this.#putSpec(job)));
    faultPoint('submit.after-spec');
    state.transaction(() => {
      for (const job of jobs) state.acknowledgeJob(job.id, clock.now());
    });
    faultPoint('submit.after-acknowledge');
    metrics.jobsSubmitted.inc(jobs.length);
    for (const job of jobs)
      log.info({ jobId: job.id, name: job.spec.name, tasks: taskCount(job) }, 'job submitted');
    signals.ring('dispatchable');
    // A job may be over at once: its dependency has failed.
    signals.ring('verdicts');
  }

  /** The spec goes last: where it is, the items are too. */
  async #putSpec(job: NewJob): Promise<void> {
    const { store } = this.#context;
    if (job.itemSet !== null) await putItems(this.#context, job.id, job.itemSet);
    faultPoint('submit.after-items');
    await store.put(specKey(job.id), canonicalJson(job.spec));
  }
}

/** Tasks that this job runs: all of its task set, or the picked ones of a retry. */
const taskCount = (job: Pick<NewJob, 'spec'>): number =>
  job.spec.retryOf?.indices.length ?? job.spec.tasks.count;
