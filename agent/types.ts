import type { AgentId, BootId, RunId } from '../shared/ids.ts';
import type { JobSpec } from '../shared/job-spec.ts';
import type { Outcome } from '../shared/wire/event.ts';
import type { UnitBody, UnitTask } from '../shared/wire/unit.ts';

/** One task of a received unit, about to be run in a slot. */
export interface TaskToRun {
  unit: UnitBody;
  spec: JobSpec;
  task: UnitTask;
  run: RunId;
}

/** Who we are; goes into every outcome. */
export interface AgentIdentity {
  pool: string;
  agent: AgentId;
  boot: BootId;
}

/**
 * A place where one task runs at a time, with its helper process. States: idle → running → idle …; `close` from any.
 * `run` never rejects: whatever happens to a task becomes its outcome.
 */
export interface Slot {
  run(task: TaskToRun): Promise<Outcome>;
  /** Ends the running task's whole tree: TERM, grace, KILL. Its outcome then says `cancelled`. No task: does nothing. */
  cancel(): void;
  /** Ends the running task's tree at once, without grace. */
  kill(): void;
  /** Upload what the running task prints as log chunks while it runs (somebody follows), or stop doing so. */
  follow(on: boolean): void;
  close(): Promise<void>;
}
