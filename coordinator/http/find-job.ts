import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import type { CoordinatorState } from '../state/open.ts';
import type { JobView, TaskView } from './api.ts';

const SHOWN_CANDIDATES = 5;

/** The job that an id, a unique prefix of one, or `last` means. Throws `NOT_FOUND` or `AMBIGUOUS_ID`. */
export function findJob(state: CoordinatorState, text: string): JobId {
  if (text === 'last') {
    const [newest] = state.jobs({ limit: 1 }).jobs;
    if (newest === undefined) throw new ClobiError('NOT_FOUND', 'There are no jobs yet.');
    return newest.id as JobId;
  }
  const found = state.jobIds(text.toUpperCase(), SHOWN_CANDIDATES + 1);
  const [first] = found;
  if (first === undefined)
    throw new ClobiError('NOT_FOUND', `There is no job "${text}". \`clobi ps -a\` lists what there is.`);
  if (found.length === 1 || found.some((id) => id === text.toUpperCase())) return first;
  const more = found.length > SHOWN_CANDIDATES ? ', …' : '';
  throw new ClobiError(
    'AMBIGUOUS_ID',
    `More than one job begins with "${text}": ${found.slice(0, SHOWN_CANDIDATES).join(', ')}${more}. Give more letters.`,
  );
}

export function viewOf(state: CoordinatorState, job: JobId): JobView {
  const view = state.job(job);
  if (view === undefined) throw new ClobiError('NOT_FOUND', `There is no job ${job}.`);
  return view;
}

const OVER: ReadonlySet<string> = new Set(['succeeded', 'failed', 'partial', 'cancelled']);
export const isOver = (view: JobView): boolean => OVER.has(view.state);

/** With its attempts. Throws `NOT_FOUND`. */
export function taskOf(state: CoordinatorState, job: JobId, index: number): TaskView {
  const view = state.task(job, index);
  if (view === undefined) throw new ClobiError('NOT_FOUND', `Job ${job} has no task ${index}.`);
  return view;
}
