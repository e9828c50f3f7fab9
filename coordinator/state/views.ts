import type { JobId } from '../../shared/ids.ts';
import type { JobState, TaskCounts, TaskState } from '../../shared/task-state.ts';
import type { Outcome } from '../../shared/wire/event.ts';
import type { AgentView, JobEvent, JobView, OutputView, TaskView } from '../http/api.ts';
import { neededJob } from './job-rows.ts';
import type { Session } from './session.ts';
import { viewAgents } from './view-agents.ts';
import { jobIds, queuePosition, totals, viewJob, viewJobs } from './view-jobs.ts';
import { outcomeOf, outputsOf, retryable, type StoredOutput, viewOutputs } from './view-outputs.ts';
import { viewTask, viewTasks } from './view-tasks.ts';

export interface JobQuery {
  limit: number;
  /** Id of the last job of the page before. */
  after?: string | undefined;
  state?: JobState | undefined;
  /** `name`, or `name=value`. */
  label?: string | undefined;
  /** Part of the name. */
  name?: string | undefined;
  owner?: string | undefined;
}

export interface TaskQuery {
  limit: number;
  /** Index of the last task of the page before. */
  after?: number | undefined;
  state?: TaskState | undefined;
}

/**
 * What the API shows, in its own types. A terminal state that is not yet exported is shown as `running` (R11). Nothing here
 * costs more for a job of a million tasks than for one of ten, but for `retryable`.
 */
export interface Views {
  /** Newest first. */
  jobs(query: JobQuery): { jobs: JobView[]; next?: string };
  job(job: JobId): JobView | undefined;
  /** Ids that begin like this, oldest first. */
  jobIds(prefix: string, limit: number): JobId[];
  /** By index, without attempts. */
  tasks(job: JobId, query: TaskQuery): { tasks: TaskView[]; next?: string };
  /** With attempts. */
  task(job: JobId, index: number): TaskView | undefined;
  /** What this run reported; kept for the visible run and the first one heard of each attempt. */
  outcome(job: JobId, index: number, run: string): Outcome | undefined;
  /** Tasks that failed, were lost, or were cancelled by failFast. */
  retryable(job: JobId): number[];
  events(job: JobId, after: number, limit: number): JobEvent[];
  /** Of all visible runs, whole tasks a page: a page may be longer than `limit` by the outputs of one task. */
  outputs(
    job: JobId,
    query: { limit: number; after?: string | undefined },
  ): { outputs: OutputView[]; next?: string };
  /** Of the visible run. */
  taskOutputs(job: JobId, index: number): StoredOutput[];
  /** The newest boot of each agent, live ones first. */
  agents(): AgentView[];
  totals(): { tasks: TaskCounts; jobs: number };
  /** Among jobs with ready tasks, by priority then submission; 1 is next. Null: it is not among them. */
  queuePosition(job: JobId): number | null;
}

export const viewsOf = (s: Session): Views => ({
  jobs: (query) => viewJobs(s, query),
  job: (id) => viewJob(s, id),
  jobIds: (prefix, limit) => jobIds(s, prefix, limit),
  tasks: (id, query) => viewTasks(s, neededJob(s, id), query),
  task: (id, index) => viewTask(s, neededJob(s, id), index),
  outcome: (id, index, run) => outcomeOf(s, neededJob(s, id), index, run),
  retryable: (id) => retryable(s, neededJob(s, id)),
  events: (id, after, limit) => {
    const text =
      'SELECT seq, at, type, task, text FROM events WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?';
    return s
      .sql(text)
      .all(neededJob(s, id).seq, after, limit)
      .map((row) => ({ ...row }) as unknown as JobEvent);
  },
  outputs: (id, query) => viewOutputs(s, neededJob(s, id), query),
  taskOutputs: (id, index) => outputsOf(s, neededJob(s, id), index),
  agents: () => viewAgents(s),
  totals: () => totals(s),
  queuePosition: (id) => queuePosition(s, neededJob(s, id)),
});
