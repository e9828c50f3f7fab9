import type { JobId } from '../../shared/ids.ts';
import type { TaskCounts } from '../../shared/task-state.ts';
import type { Outcome, OutputFile } from '../../shared/wire/event.ts';
import type { AgentView, JobEvent, JobView, OutputView, TaskView } from '../http/api.ts';
import type { JobState, TaskState } from '../../shared/task-state.ts';
import type { RebuildState, Store } from '../state/store.ts';

export interface Views {
  jobs(query: { limit: number; after?: string | undefined; state?: JobState | undefined; label?: string | undefined; name?: string | undefined }): { jobs: JobView[]; next?: string };
  job(job: JobId): JobView | undefined;
  jobIds(prefix: string, limit: number): JobId[];
  tasks(job: JobId, query: { limit: number; after?: number | undefined; state?: TaskState | undefined }): { tasks: TaskView[]; next?: string };
  task(job: JobId, index: number): TaskView | undefined;
  outcome(job: JobId, index: number, run: string): Outcome | undefined;
  retryable(job: JobId): number[];
  events(job: JobId, after: number, limit: number): JobEvent[];
  outputs(job: JobId, query: { limit: number; after?: string | undefined }): { outputs: OutputView[]; next?: string };
  taskOutputs(job: JobId, index: number): OutputFile[];
  agents(): AgentView[];
  totals(): { tasks: TaskCounts; jobs: number };
  queuePosition(job: JobId): number | null;
}

export type CoordinatorState = Store & RebuildState & Views;
