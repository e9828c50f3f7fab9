import { TASK_STATES } from '../../shared/task-state.ts';
import { formatBytes } from '../../shared/units-of-measure.ts';
import type {
  AgentView,
  AttemptView,
  JobEvent,
  JobView,
  OutputView,
  PoolView,
  TaskView,
} from '../http/api.ts';
import type { ListView, RecordView } from './output/output.ts';
import {
  colourOfState,
  dash,
  formatAge,
  formatCount,
  formatSpan,
  formatTime,
  plural,
} from './output/text.ts';

/** How the things of the API read: columns for lists, fields for one. `now` in milliseconds since 1970. */

const formatLabels = (labels: Readonly<Record<string, string>>): string =>
  dash(
    Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
  );

const spanOf = (from: number | null, to: number | null, now: number): string =>
  from === null ? '-' : formatSpan((to ?? now) - from);

const countBad = (job: JobView): number => job.counts.failed + job.counts.lost;

export const jobList = (now: number): ListView<JobView> => ({
  name: (job) => job.id,
  empty: 'No jobs. "clobi submit FILE" gives one; "clobi ps -a" also lists those that are over.',
  columns: [
    { title: 'JOB', text: (job) => job.id },
    { title: 'NAME', text: (job) => job.name },
    { title: 'STATE', text: (job) => job.state, colour: (job, colours) => colourOfState(job.state, colours) },
    {
      title: 'DONE',
      text: (job) => `${formatCount(job.counts.succeeded)}/${formatCount(job.tasks)}`,
      align: 'right',
    },
    { title: 'RUNNING', text: (job) => formatCount(job.counts.running), align: 'right' },
    { title: 'FAILED', text: (job) => formatCount(countBad(job)), align: 'right' },
    { title: 'AGE', text: (job) => formatAge(job.submittedAt, now), align: 'right' },
    { title: 'TOOK', text: (job) => spanOf(job.startedAt, job.endedAt, now), align: 'right' },
    { title: 'OWNER', text: (job) => job.owner, wide: true },
    { title: 'PRIORITY', text: (job) => String(job.priority), wide: true, align: 'right' },
    { title: 'SUBMITTED', text: (job) => formatTime(job.submittedAt), wide: true },
    { title: 'LABELS', text: (job) => formatLabels(job.labels), wide: true },
  ],
});

export const jobRecord = (now: number): RecordView<JobView> => ({
  name: (job) => job.id,
  fields: (job) => [
    ['Job', job.id],
    ['Name', job.name],
    ['State', job.state],
    ['Tasks', `${formatCount(job.tasks)} (${describeStates(job)})`],
    ['Owner', job.owner],
    ['Priority', String(job.priority)],
    ['Labels', Object.keys(job.labels).length === 0 ? undefined : formatLabels(job.labels)],
    ['Submitted', `${formatTime(job.submittedAt)} (${formatAge(job.submittedAt, now)} ago)`],
    ['Started', job.startedAt === null ? undefined : formatTime(job.startedAt)],
    ['Ended', job.endedAt === null ? undefined : formatTime(job.endedAt)],
    ['Took', job.startedAt === null ? undefined : spanOf(job.startedAt, job.endedAt, now)],
    ['Mean task', job.meanTaskMs === null ? undefined : formatSpan(job.meanTaskMs)],
    [
      'Expected end',
      job.expectedEndAt === null || job.endedAt !== null
        ? undefined
        : `in ${formatSpan(job.expectedEndAt - now)}`,
    ],
    ['Published', job.publish === undefined ? undefined : describePublication(job.publish)],
    ['Cancelled', job.cancelReason ?? undefined],
    ['Moved to', job.movedTo ?? undefined],
    ['Requests', describeRequests(job)],
    ['Retry of', job.retryOf ?? undefined],
    ['Retried by', job.retriedBy.length === 0 ? undefined : job.retriedBy.join(', ')],
  ],
});

/** `12 tasks at s3://b/p, 3 on the way; 1 task could not be put there yet: …`. */
function describePublication({ to, tasks, waiting, failure }: NonNullable<JobView['publish']>): string {
  const there = `${plural(tasks, 'task')} at ${to}`;
  if (waiting === 0) return there;
  const failed =
    failure === null
      ? ''
      : `; ${plural(failure.tasks, 'task')} could not be put there yet: ${failure.message}`;
  return `${there}, ${formatCount(waiting)} on the way${failed}`;
}

/** `1,234 (0.12 a task), 0.0005 USD (0.00000005 a task)`; undefined where none was asked of any cloud. */
function describeRequests({ requests, counts }: JobView): string | undefined {
  if (requests.count === 0) return undefined;
  const ended = Math.max(1, counts.succeeded + counts.failed + counts.lost);
  const each = (requests.count / ended).toPrecision(2);
  return `${formatCount(Math.round(requests.count))} (${Number(each)} a task), ${formatUsd(requests.usd)} USD (${formatUsd(requests.usd / ended)} a task)`;
}

/** Two digits that count, never in powers of ten: what a request costs is far behind the point. */
const formatUsd = (usd: number): string =>
  usd === 0 ? '0' : usd.toLocaleString('en', { maximumSignificantDigits: 2, useGrouping: false });

/** `7 succeeded, 2 running, 1 ready`. */
const describeStates = (job: Pick<JobView, 'counts'>): string =>
  TASK_STATES.toReversed()
    .filter((state) => job.counts[state] > 0)
    .map((state) => `${formatCount(job.counts[state])} ${state}`)
    .join(', ');

/** `10 tasks: 7 succeeded, 2 running, 1 ready`. */
export const describeTasks = (job: Pick<JobView, 'tasks' | 'counts'>): string =>
  `${plural(job.tasks, 'task')}: ${describeStates(job)}`;

export const taskList = (now: number): ListView<TaskView> => ({
  name: (task) => task.id,
  empty: 'No such tasks.',
  columns: [
    { title: 'TASK', text: (task) => String(task.index), align: 'right' },
    {
      title: 'STATE',
      text: (task) => task.state,
      colour: (task, colours) => colourOfState(task.state, colours),
    },
    { title: 'TOOK', text: (task) => spanOf(task.startedAt, task.endedAt, now), align: 'right' },
    { title: 'EXIT', text: (task) => dash(task.signal ?? task.exitCode), align: 'right' },
    { title: 'FAILURES', text: (task) => String(task.failures), align: 'right' },
    { title: 'LOSSES', text: (task) => String(task.losses), align: 'right' },
    { title: 'POOL', text: (task) => dash(task.pool), wide: true },
    { title: 'AGENT', text: (task) => dash(task.agent) },
    { title: 'ATTEMPT', text: (task) => dash(task.attempt), wide: true },
    { title: 'RUN', text: (task) => dash(task.run), wide: true },
    { title: 'OUTPUTS', text: (task) => String(task.outputs), wide: true, align: 'right' },
    { title: 'WHY', text: (task) => dash(whyOf(task)) },
  ],
});

const whyOf = (at: { reason: string | null; message: string | null }): string | undefined =>
  at.reason === null && at.message === null
    ? undefined
    : [at.reason, at.message].filter((part) => part !== null).join(': ');

export const taskRecord = (now: number): RecordView<TaskView> => ({
  name: (task) => task.id,
  fields: (task) => [
    ['Task', task.id],
    ['State', task.state],
    ['Why', whyOf(task)],
    ['Exit', task.exitCode === null && task.signal === null ? undefined : dash(task.signal ?? task.exitCode)],
    ['Failures', String(task.failures)],
    ['Losses', String(task.losses)],
    [
      'Next try',
      task.readyAt === null || task.state !== 'backoff' ? undefined : `in ${formatSpan(task.readyAt - now)}`,
    ],
    ['Pool', task.pool ?? undefined],
    ['Agent', task.agent ?? undefined],
    ['Attempt', task.attempt ?? undefined],
    ['Run', task.run ?? undefined],
    ['Started', task.startedAt === null ? undefined : formatTime(task.startedAt)],
    ['Ended', task.endedAt === null ? undefined : formatTime(task.endedAt)],
    ['Took', task.startedAt === null ? undefined : spanOf(task.startedAt, task.endedAt, now)],
    ['Outputs', String(task.outputs)],
    ['Attempts', task.attempts === undefined ? undefined : String(task.attempts.length)],
  ],
});

export const attemptList = (now: number): ListView<AttemptView> => ({
  name: (attempt) => attempt.attempt,
  empty: 'Not dispatched yet. "clobi explain JOB/INDEX" says why.',
  columns: [
    { title: 'ATTEMPT', text: (attempt) => attempt.attempt },
    { title: 'RESULT', text: (attempt) => attempt.result },
    { title: 'EXIT', text: (attempt) => dash(attempt.signal ?? attempt.exitCode), align: 'right' },
    { title: 'TOOK', text: (attempt) => spanOf(attempt.startedAt, attempt.endedAt, now), align: 'right' },
    { title: 'POOL', text: (attempt) => attempt.pool },
    { title: 'AGENT', text: (attempt) => dash(attempt.agent) },
    { title: 'DISPATCHED', text: (attempt) => formatTime(attempt.dispatchedAt), wide: true },
    { title: 'UNIT', text: (attempt) => attempt.unit, wide: true },
    { title: 'RUN', text: (attempt) => dash(attempt.run), wide: true },
    { title: 'WHY', text: (attempt) => dash(whyOf(attempt)) },
  ],
});

export const eventList: ListView<JobEvent> = {
  name: (event) => String(event.seq),
  empty: 'Nothing has happened yet.',
  columns: [
    { title: 'SEQ', text: (event) => String(event.seq), align: 'right', wide: true },
    { title: 'TIME', text: (event) => formatTime(event.at) },
    { title: 'TYPE', text: (event) => event.type },
    { title: 'TASK', text: (event) => dash(event.task), align: 'right' },
    { title: 'WHAT', text: (event) => event.text },
  ],
};

export const outputList: ListView<OutputView> = {
  name: (output) => `${output.index}/${output.path}`,
  empty: 'No committed outputs. A job file names what to keep under "outputs".',
  columns: [
    { title: 'TASK', text: (output) => String(output.index), align: 'right' },
    { title: 'SIZE', text: (output) => formatBytes(output.sizeBytes), align: 'right' },
    { title: 'SHA256', text: (output) => output.sha256, wide: true },
    { title: 'RUN', text: (output) => output.run, wide: true },
    { title: 'PATH', text: (output) => output.path },
  ],
};

export const agentList = (now: number): ListView<AgentView> => ({
  name: (agent) => agent.agent,
  empty: 'No agents. "clobi agent start --pool local" starts one.',
  columns: [
    { title: 'AGENT', text: (agent) => agent.agent },
    { title: 'POOL', text: (agent) => agent.pool },
    {
      title: 'STATE',
      text: (agent) => agent.state,
      colour: (agent, colours) => (agent.state === 'live' ? colours.green : colours.yellow),
    },
    { title: 'RUNNING', text: (agent) => `${agent.running}/${agent.slots}`, align: 'right' },
    { title: 'UNITS', text: (agent) => String(agent.units), align: 'right' },
    { title: 'HEARD', text: (agent) => `${formatAge(agent.lastHeardAt, now)} ago`, align: 'right' },
    { title: 'HOST', text: (agent) => agent.host },
    { title: 'PID', text: (agent) => String(agent.pid), wide: true, align: 'right' },
    { title: 'CPUS', text: (agent) => String(agent.cpus), wide: true, align: 'right' },
    { title: 'MEMORY', text: (agent) => formatBytes(agent.memoryBytes), wide: true, align: 'right' },
    { title: 'GPUS', text: (agent) => String(agent.gpus), wide: true, align: 'right' },
    {
      title: 'DISK',
      text: (agent) => (agent.diskBytes === null ? '-' : formatBytes(agent.diskBytes)),
      wide: true,
      align: 'right',
    },
    { title: 'ARCH', text: (agent) => agent.arch, wide: true },
    { title: 'ISOLATION', text: (agent) => agent.isolation, wide: true },
    { title: 'VERSION', text: (agent) => agent.version, wide: true },
    { title: 'REJECTED', text: (agent) => String(agent.rejected), wide: true, align: 'right' },
    { title: 'LABELS', text: (agent) => formatLabels(agent.labels), wide: true },
  ],
});

export const poolList: ListView<PoolView> = {
  name: (pool) => pool.pool,
  empty: 'No pools.',
  columns: [
    { title: 'POOL', text: (pool) => pool.pool },
    { title: 'PROVIDER', text: (pool) => pool.provider },
    {
      title: 'MODE',
      text: (pool) => pool.mode,
      colour: (pool, colours) => (pool.mode === 'open' ? colours.green : colours.yellow),
    },
    {
      title: 'HEALTH',
      text: (pool) => (pool.health.dark ? 'dark' : pool.health.since === null ? 'ok' : 'trying'),
      colour: (pool, colours) => (pool.health.since === null ? colours.green : colours.red),
    },
    { title: 'AGENTS', text: (pool) => String(pool.agents), align: 'right' },
    { title: 'SLOTS', text: (pool) => String(pool.slots), align: 'right' },
    { title: 'TASKS OUT', text: (pool) => formatCount(pool.outstandingTasks), align: 'right' },
    { title: 'UNITS OUT', text: (pool) => formatCount(pool.outstandingUnits), align: 'right' },
    { title: 'QUEUED', text: (pool) => dash(pool.queueDepth), align: 'right' },
    { title: 'COMING BACK', text: (pool) => formatCount(pool.comingBack), wide: true, align: 'right' },
    {
      title: 'SINCE',
      text: (pool) => (pool.modeSince === null ? '-' : formatTime(pool.modeSince)),
      wide: true,
    },
    { title: 'UNREACHED SINCE', text: (pool) => formatTime(pool.health.since), wide: true },
    { title: 'REGION', text: (pool) => dash(pool.region), wide: true },
    { title: 'REQUESTS', text: (pool) => formatCount(pool.requests.count), wide: true, align: 'right' },
    { title: 'USD', text: (pool) => formatUsd(pool.requests.usd), wide: true, align: 'right' },
    { title: 'USD/CPU HOUR', text: (pool) => String(pool.pricePerCpuHour), wide: true, align: 'right' },
    { title: 'LABELS', text: (pool) => formatLabels(pool.labels), wide: true },
    { title: 'WHY', text: (pool) => dash(pool.health.why), wide: true },
  ],
};
