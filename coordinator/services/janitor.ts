import type { JobId } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { Service } from '../../shared/service.ts';
import type { JobView, TaskView } from '../http/api.ts';
import type { Context } from './context.ts';
import { listAll } from './read-segments.ts';
import { allStores, type NamedStore } from './stores.ts';

const INTERVAL_MS = 10_000;
/** Jobs looked at in one pass: the whole list is gone through bit by bit. */
const JOBS_A_PASS = 100;
const REMOVED_AT_ONCE = 500;
/** A stale run may still upload for a while after the job is over. */
const SETTLED_MS = 24 * 3600 * 1000;

export type Cleanup = 'results' | 'logs' | 'superseded';

/**
 * Removes results and logs whose retention has passed, and outputs of runs that did not count. The one place where Clobi
 * removes objects that tasks made (I7).
 */
export class Janitor {
  readonly service: Service;
  readonly #context: Context;
  /** What has been done in this life; doing it again would find nothing. */
  readonly #done = new Set<string>();
  #after: string | undefined;

  constructor(context: Context) {
    this.#context = context;
    this.service = new Service({
      name: 'janitor',
      intervalMs: INTERVAL_MS,
      log: context.log,
      runOnce: () => this.runOnce(),
    });
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  /** Looks at the next jobs of the list; never more to do at once. */
  async runOnce(): Promise<boolean> {
    const { state } = this.#context;
    const page = state.jobs({
      limit: JOBS_A_PASS,
      ...(this.#after === undefined ? {} : { after: this.#after }),
    });
    for (const view of page.jobs) await this.cleanJob(view);
    this.#after = page.next;
    return false;
  }

  async cleanJob(view: JobView): Promise<void> {
    const job = view.id as JobId;
    const spec = this.#context.state.spec(job);
    if (spec === undefined) return;
    for (const what of dueCleanups(view, spec, this.#context.clock.now())) {
      for (const at of allStores(this.#context)) await this.#cleanStore(job, what, at);
    }
  }

  /** A store that does not answer keeps what it has till another pass, and the others from nothing. */
  async #cleanStore(job: JobId, what: Cleanup, { url, store }: NamedStore): Promise<void> {
    const { log } = this.#context;
    const name = `${job} ${what} ${url}`;
    if (this.#done.has(name)) return;
    try {
      const removed = await this.#clean(job, what, store);
      this.#done.add(name);
      if (removed > 0) log.info({ jobId: job, what, objects: removed, store: url }, 'removed objects');
    } catch (error) {
      log.warn({ jobId: job, what, store: url, err: error }, 'objects could not be removed yet');
    }
  }

  async #clean(job: JobId, what: Cleanup, store: ObjectStore): Promise<number> {
    const prefix = what === 'logs' ? `logs/${job}/` : `results/${job}/`;
    let removed = 0;
    let waiting: string[] = [];
    for await (const key of listAll(store, prefix)) {
      if (what === 'superseded' && !this.#isSuperseded(job, key)) continue;
      waiting.push(key);
      if (waiting.length < REMOVED_AT_ONCE) continue;
      removed += await this.#remove(job, what, { store, keys: waiting });
      waiting = [];
    }
    return removed + (await this.#remove(job, what, { store, keys: waiting }));
  }

  /** Asked again at the last moment: what was decided some thousand objects ago may hold no longer. */
  async #remove(
    job: JobId,
    what: Cleanup,
    { store, keys }: { store: ObjectStore; keys: readonly string[] },
  ): Promise<number> {
    const { state, clock } = this.#context;
    const view = state.job(job);
    const spec = state.spec(job);
    if (keys.length === 0 || view === undefined || spec === undefined) return 0;
    if (!dueCleanups(view, spec, clock.now()).includes(what)) return 0;
    await store.remove(keys);
    return keys.length;
  }

  #isSuperseded(job: JobId, key: string): boolean {
    const [, , index, run] = key.split('/');
    if (index === undefined || run === undefined) return false;
    const task = this.#context.state.task(job, Number(index));
    return task !== undefined && !isNamed(task, run);
  }
}

/** What may be removed of a job now: nothing before it is over and its end has been exported. */
export function dueCleanups(
  view: Pick<JobView, 'endedAt' | 'publish'>,
  spec: Pick<JobSpec, 'retention'>,
  now: number,
): Cleanup[] {
  const { endedAt } = view;
  if (endedAt === null) return [];
  const { resultsMs, logsMs } = spec.retention;
  const due: Cleanup[] = [];
  // What is still to be published is wanted, however old it is.
  const isWanted = (view.publish?.waiting ?? 0) > 0;
  if (resultsMs !== null && endedAt + resultsMs < now && !isWanted) due.push('results');
  if (logsMs !== null && endedAt + logsMs < now) due.push('logs');
  if (endedAt + SETTLED_MS < now) due.push('superseded');
  return due;
}

/** True when a committed outcome of the task names this run. */
export function isNamed(task: Pick<TaskView, 'run' | 'attempts'>, run: string): boolean {
  if (task.run === run) return true;
  return (task.attempts ?? []).some((attempt) => attempt.run === run && COMMITTED.has(attempt.result));
}

const COMMITTED: ReadonlySet<string> = new Set(['open', 'succeeded', 'failed', 'cancelled']);
