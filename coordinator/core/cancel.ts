import { isTerminal, type TaskState } from '../../shared/task-state.ts';

/** R8: cancel ends what is open; whichever of cancel and commit came first has won. */
export const mayCancel = (state: TaskState): boolean => !isTerminal(state);

/** True while an agent may hold or yet receive the task: it is to be revoked. */
export const needsRevoke = (state: TaskState): boolean => state === 'dispatched' || state === 'running';

/** `timeout.queue`: over when the task has not started once by then. Started tasks are bounded by `timeout.run`. */
export const isOverdue = (task: { state: TaskState; everStarted: boolean }): boolean =>
  mayCancel(task.state) && task.state !== 'running' && !task.everStarted;
