import { ClobiError, EXIT } from '../../shared/errors.ts';
import type { JobView } from '../http/api.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { DETACHED, exitCodeOfJob, isJobOver, worstExitCode } from './exit.ts';
import { isJobId } from './ids.ts';
import { escapeCell } from './output/escape.ts';
import { describeTasks } from './views.ts';

export interface WaitOptions {
  client: Client;
  timeoutMs?: number;
}

/** One call of the API waits no longer than this: a coordinator that has gone is noticed. */
const LONGEST_CALL_MS = 20_000;

/** Waits until all are over. The exit code is the worst of theirs, 124 when the time is up, 130 after Ctrl-C. */
export async function waitForJobs(
  context: Context,
  jobs: readonly string[],
  options: WaitOptions,
): Promise<number> {
  const deadline = Date.now() + (options.timeoutMs ?? Infinity);
  const signal = context.interrupted;
  const ids = [...jobs];
  try {
    const views: JobView[] = [];
    for (const [at, job] of jobs.entries()) {
      const onId = (id: string): void => void (ids[at] = id);
      views.push(await waitForOne(options.client, job, { deadline, signal, onId }));
    }
    for (const view of views) context.output.note(describeEnd(view));
    return worstExitCode(views.map((view) => exitCodeOfJob(view) ?? EXIT.timedOut));
  } catch (error) {
    if (!signal.aborted) throw error;
    context.output.note(`Detached. The job goes on; "clobi job wait ${ids.join(' ')}" comes back to it.`);
    return DETACHED;
  }
}

/** Throws `TIMED_OUT` at the deadline. */
async function waitForOne(
  client: Client,
  job: string,
  until: { deadline: number; signal: AbortSignal; onId: (id: string) => void },
): Promise<JobView> {
  let id = job;
  for (;;) {
    // First of all its whole id.
    const longestMs = isJobId(id) ? LONGEST_CALL_MS : 0;
    const timeoutMs = Math.max(0, Math.min(longestMs, until.deadline - Date.now()));
    const view = await client.get<JobView>(
      `/v1/jobs/${id}/wait`,
      { timeoutMs: Math.round(timeoutMs) },
      until.signal,
    );
    // `last` may mean another job at the next call.
    id = view.id;
    until.onId(id);
    if (isJobOver(view.state)) return view;
    if (Date.now() >= until.deadline) {
      throw new ClobiError(
        'TIMED_OUT',
        `Job ${id} is not over in the time given; it is ${view.state} (${describeTasks(view)}). It goes on; "clobi job wait ${id}" waits again.`,
      );
    }
  }
}

/** One sentence on how a job ended, with what to do next. */
export function describeEnd(job: JobView): string {
  return `Job ${job.id} (${escapeCell(job.name)}) ${job.state}; ${describeTasks(job)}. ${nextAfter(job)}`;
}

function nextAfter({ id, state, counts }: JobView): string {
  if (state === 'succeeded') return `"clobi outputs ${id} --to DIR" brings the results.`;
  if (counts.failed + counts.lost === 0) return `"clobi explain ${id}" says why.`;
  const bad = counts.failed > 0 ? 'failed' : 'lost';
  return `"clobi explain ${id}" says why, "clobi task list ${id} --state ${bad}" lists which, "clobi retry ${id}" runs those again.`;
}
