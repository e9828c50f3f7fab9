import PQueue from 'p-queue';
import { ClobiError, messageOf } from '../../shared/errors.ts';
import { faultPoint } from '../../shared/fault.ts';
import type { JobId } from '../../shared/ids.ts';
import { Service } from '../../shared/service.ts';
import type { StoredOutput } from '../state/view-outputs.ts';
import type { Context } from './context.ts';
import { openTarget, type PublishTarget } from './publish-target.ts';
import { withContent } from './scratch.ts';
import { storeOfPool } from './stores.ts';

const IDLE_MS = 10_000;
const TASKS_A_PASS = 64;
const FILES_AT_ONCE = 8;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

interface Publication {
  job: JobId;
  index: number;
  tries: number;
}

/**
 * Puts the files of finished tasks where their job's `outputs.to` says, as `<index>/<path>`: those of the visible run alone, and
 * only once its end is exported. An outbox: a crash in between publishes the same bytes once more.
 */
export class Publisher {
  readonly service: Service;
  readonly #context: Context;
  readonly #files = new PQueue({ concurrency: FILES_AT_ONCE });

  constructor(context: Context) {
    this.#context = context;
    this.service = new Service({
      name: 'publisher',
      intervalMs: IDLE_MS,
      log: context.log,
      runOnce: (signal) => this.runOnce(signal),
    });
    context.signals.on('exported', () => this.service.wake());
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.#files.onIdle();
  }

  /** Some tasks; true when there may be more. A task whose files cannot be put keeps no other from it. */
  async runOnce(signal: AbortSignal): Promise<boolean> {
    const due = this.#context.state.duePublications(this.#context.clock.now(), TASKS_A_PASS);
    await Promise.all(due.map((publication) => this.#publish(publication, signal)));
    return due.length === TASKS_A_PASS;
  }

  async #publish(publication: Publication, signal: AbortSignal): Promise<void> {
    const { state, log, clock } = this.#context;
    const { job, index, tries } = publication;
    try {
      await this.#putAll(publication, signal);
      faultPoint('publish.after-put');
      state.notePublished(job, index);
    } catch (error) {
      if (signal.aborted) return;
      if (this.#isPastRetention(job) && (await this.#isGone(job, index))) {
        state.dropPublication(job, index);
        log.warn({ jobId: job, task: index }, 'outputs are published no more: their retention is over');
        return;
      }
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(tries, 20), LONGEST_PAUSE_MS);
      const nextTryAt = clock.now() + pauseMs;
      const isWanted = state.notePublishFailure(job, index, { error: messageOf(error), tries, nextTryAt });
      if (isWanted)
        log.warn({ jobId: job, task: index, err: error, pauseMs }, 'outputs could not be published yet');
    }
  }

  /** A rebuild publishes again whatever was published once, also what has been removed since. */
  #isPastRetention(job: JobId): boolean {
    const { state, clock } = this.#context;
    const endedAt = state.job(job)?.endedAt ?? null;
    const resultsMs = state.spec(job)?.retention.resultsMs ?? null;
    return endedAt !== null && resultsMs !== null && endedAt + resultsMs < clock.now();
  }

  async #isGone(job: JobId, index: number): Promise<boolean> {
    const heads = this.#context.state
      .taskOutputs(job, index)
      .map(({ key, pool }) => this.#files.add(async () => storeOfPool(this.#context, pool).store.head(key)));
    const found = await Promise.allSettled(heads);
    return found.some((head) => head.status === 'fulfilled' && head.value === undefined);
  }

  async #putAll({ job, index }: Publication, signal: AbortSignal): Promise<void> {
    const { state } = this.#context;
    const to = state.spec(job)?.publish;
    if (to === undefined) return;
    const target = await openTarget(this.#context, to);
    const outputs = state.taskOutputs(job, index);
    const puts = outputs.map((output) =>
      this.#files.add(() => this.#putOne(target, `${index}/${output.path}`, { output, signal })),
    );
    // All have come to an end before anything else may be put in the same place.
    await Promise.allSettled(puts);
    await Promise.all(puts);
  }

  async #putOne(
    target: PublishTarget,
    path: string,
    { output, signal }: { output: StoredOutput; signal: AbortSignal },
  ): Promise<void> {
    signal.throwIfAborted();
    const { key, sha256, sizeBytes } = output;
    const { store } = storeOfPool(this.#context, output.pool);
    const open = async () => {
      const object = await store.get(key);
      if (object === undefined) throw new ClobiError('NOT_FOUND', `There is no object "${key}".`);
      return object.body;
    };
    const { home } = this.#context.config;
    await withContent({ home, open, sizeBytes, signal }, async (content) => {
      if (content.sha256 !== sha256)
        throw new ClobiError(
          'CONFLICT',
          `"${key}" has the SHA-256 ${content.sha256}, but the task reported ${sha256}.`,
        );
      await target.put(path, content.body);
    });
  }
}
