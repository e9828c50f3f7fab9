import type { JobId } from '../../shared/ids.ts';
import { isTerminal, type TaskState } from '../../shared/task-state.ts';
import { formatDuration } from '../../shared/units-of-measure.ts';
import { isDark, poolHealth } from '../services/health.ts';
import type { Explanation, JobView, TaskView } from './api.ts';
import { describeDark, explainPools, plural, type Reason, waitingReasons } from './explain-pools.ts';
import { publishReasons } from './explain-publish.ts';
import { isOver, taskOf, viewOf } from './find-job.ts';
import type { ApiContext } from './server.ts';

/** Why a job is where it is, in the words that a person needs to do something about it. */
export function explainJob(api: ApiContext, job: JobId): Explanation {
  const view = viewOf(api.state, job);
  const waiting = view.counts.ready > 0 && !view.held;
  const over = isOver(view);
  const pools = over ? [] : explainPools(api, job);
  const reasons = [
    ...(over ? [] : heldReasons(view)),
    ...dependencyReasons(api, job, view.counts.blocked),
    ...(waiting ? waitingReasons(api, view, pools) : []),
    ...countReasons(api, view),
    ...publishReasons(view),
  ];
  return {
    summary: reasons[0]?.text ?? (over ? `The job ${view.state}.` : `The job is ${view.state}.`),
    reasons,
    pools,
    queuePosition: waiting ? api.state.queuePosition(job) : null,
    nextTryAt: null,
  };
}

/** Why a task is not running, or how it ended. */
export function explainTask(api: ApiContext, job: JobId, index: number): Explanation {
  const task = taskOf(api.state, job, index);
  const view = viewOf(api.state, job);
  const pools = isTerminal(task.state) ? [] : explainPools(api, job);
  const reasons = taskReasons(api, { task, view, pools });
  return {
    summary: reasons[0]?.text ?? `The task is ${task.state}.`,
    reasons,
    pools,
    queuePosition: task.state === 'ready' ? api.state.queuePosition(job) : null,
    nextTryAt: task.readyAt,
  };
}

function taskReasons(
  api: ApiContext,
  at: { task: TaskView; view: JobView; pools: Explanation['pools'] },
): Reason[] {
  const { task, view, pools } = at;
  const history = lossReasons(task);
  switch (task.state) {
    case 'blocked':
      return dependencyReasons(api, task.job as JobId, 1);
    case 'ready':
      return [...(view.held ? heldReasons(view) : waitingReasons(api, view, pools)), ...history];
    case 'backoff': {
      const until = task.readyAt === null ? 'later' : `at ${new Date(task.readyAt).toISOString()}`;
      return [
        { code: 'backoff', text: `The last attempt did not succeed; it is tried again ${until}.` },
        ...history,
      ];
    }
    case 'dispatched':
      return [...dispatchedReasons(api, task), ...history];
    case 'running':
      return [
        { code: 'running', text: `It runs on agent ${task.agent ?? '?'} of pool ${task.pool ?? '?'}.` },
        ...darkReasons(api, task),
        ...history,
      ];
    case 'succeeded':
      return [{ code: 'succeeded', text: 'It succeeded.' }, ...history];
    case 'failed':
    case 'cancelled':
    case 'lost':
      return [
        { code: task.reason ?? task.state, text: endText(task, task.state) },
        ...(task.reason === 'dependency' ? upstreamReasons(api, view) : []),
        ...history,
      ];
  }
}

function endText(task: TaskView, state: TaskState): string {
  const message = task.message ?? task.attempts?.at(-1)?.message ?? null;
  const detail = message === null ? '' : `: ${withoutStop(message)}`;
  if (state === 'cancelled')
    return `It was cancelled${task.reason === null ? '' : `: ${describeCancel(task.reason)}`}.`;
  const reason = task.reason === null ? '' : ` (${task.reason})`;
  if (state === 'lost')
    return `It was lost ${plural(task.losses, 'time')}, and retry.lost allows no more${reason}.`;
  // An exit code of 0 is not what it failed of; then the reason alone tells.
  const exit = task.exitCode === null || task.exitCode === 0 ? '' : ` with exit code ${task.exitCode}`;
  const signal = task.signal === null ? '' : ` by signal ${task.signal}`;
  return `It failed${exit}${signal}${reason} after ${plural(task.failures, 'failed attempt')}${detail}.`;
}

function dispatchedReasons(api: ApiContext, task: TaskView): Reason[] {
  const pool = task.pool ?? '?';
  const waiting = api.staging.of(task.attempts?.at(-1)?.unit ?? '');
  if (waiting === undefined)
    return [
      {
        code: 'dispatched',
        text: `It is in the queue of pool ${pool}; an agent with a free slot takes it.`,
      },
      ...darkReasons(api, task),
      ...agentReasons(api, task),
    ];
  const { left, failure } = waiting;
  if (failure === undefined)
    return [
      {
        code: 'staging',
        text: `${plural(left, 'input')} of it and its neighbours ${left === 1 ? 'is' : 'are'} on the way to the store of pool ${pool}.`,
      },
    ];
  const when = new Date(failure.nextTryAt).toISOString();
  return [
    {
      code: 'staging-failed',
      text: `${failure.what} could not be brought to the store of pool ${pool}: ${withoutStop(failure.message)}. It was tried ${plural(failure.tries, 'time')} and is tried again at ${when}.`,
    },
  ];
}

/** R9: what becomes of a task in a pool that cannot be reached. */
function darkReasons(api: ApiContext, task: TaskView): Reason[] {
  const pool = api.pools.find(({ name }) => name === task.pool);
  if (pool === undefined || !isDark(pool)) return [];
  const spared = task.losses >= (api.state.spec(task.job as JobId)?.retry.lost ?? 0);
  const next = spared
    ? `It has no loss left, so it waits until the pool is back, or until \`clobi pool give-up ${pool.name}\``
    : `After ${formatDuration(api.config.holdDownMs)} it goes to another pool that suits, at the cost of a loss`;
  return [{ code: 'dark', text: `Pool ${pool.name} is ${describeDark(poolHealth(pool))}. ${next}.` }];
}

const withoutStop = (text: string): string => text.trimEnd().replace(/\.$/, '');

function lossReasons(task: TaskView): Reason[] {
  return (task.attempts ?? [])
    .filter(({ result }) => result === 'failed' || result === 'lost')
    .map(({ attempt, result, reason, agent }) => ({
      code: `attempt-${result}`,
      text: `Attempt ${attempt} ${result === 'lost' ? 'was lost' : 'failed'}${agent === null ? '' : ` on ${agent}`}${reason === null ? '' : `: ${reason}`}.`,
    }));
}

function agentReasons(api: ApiContext, task: TaskView): Reason[] {
  if (task.pool === null || api.state.load(task.pool, 0).liveAgents > 0) return [];
  const { mode } = api.state.poolMode(task.pool);
  if (mode !== 'open' && mode !== 'evacuated') {
    const evacuate = `\`clobi pool evacuate ${task.pool}\``;
    return [
      { code: mode, text: `Pool ${task.pool} is ${mode} and has no live agent: ${evacuate} brings it back.` },
    ];
  }
  return [
    {
      code: 'no-agents',
      text: `Pool ${task.pool} has no live agent. Start one: \`clobi agent start --pool ${task.pool}\`.`,
    },
  ];
}

const heldReasons = (view: JobView): Reason[] =>
  view.held
    ? [{ code: 'held', text: `The job is held. Let it run with \`clobi job release ${view.id}\`.` }]
    : [];

function dependencyReasons(api: ApiContext, job: JobId, blocked: number): Reason[] {
  if (blocked === 0) return [];
  return (api.state.spec(job)?.depends ?? []).flatMap((dependency) => {
    const upstream = api.state.job(dependency.job as JobId);
    if (upstream === undefined) return [];
    const what = dependency.after === 'success' ? 'to succeed' : 'to end';
    const how = dependency.by === 'tasks' ? ', index by index' : '';
    return [
      {
        code: 'dependency',
        text: `It waits for job ${upstream.id} (${upstream.name}) ${what}${how}; that one is ${upstream.state}.`,
      },
    ];
  });
}

function countReasons(api: ApiContext, view: JobView): Reason[] {
  const { failed, lost, cancelled } = view.counts;
  const reasons: Reason[] = backoffReasons(api, view);
  if (failed + lost > 0) {
    const see = failed > 0 ? 'failed' : 'lost';
    reasons.push({
      code: 'failed',
      text: `${plural(failed, 'task')} failed and ${lost} ${lost === 1 ? 'was' : 'were'} lost. See \`clobi task list ${view.id} --state ${see}\`.`,
    });
    reasons.push(...commonReasons(api, view, 'failed'));
  }
  if (cancelled > 0) {
    reasons.push({
      code: 'cancelled',
      text: `${plural(cancelled, 'task')} ${cancelled === 1 ? 'was' : 'were'} cancelled${view.cancelReason === null ? '' : `: ${describeCancel(view.cancelReason)}`}.`,
    });
    // Without a reason of the whole job, its tasks have theirs.
    const own = view.cancelReason === null ? commonReasons(api, view, 'cancelled') : [];
    reasons.push(...own);
    if (
      view.cancelReason === 'dependency' ||
      own.some(({ text }) => text.startsWith(describeCancel('dependency')))
    )
      reasons.push(...upstreamReasons(api, view));
  }
  return reasons;
}

/** The reasons that Clobi gives itself, in words; a person's own words stay. */
function describeCancel(reason: string): string {
  const words: Readonly<Record<string, string>> = {
    dependency: 'what it depends on did not succeed (dependency)',
    failFast: 'as many as failFast allows had failed',
    'timeout.queue': 'it waited longer than timeout.queue',
  };
  return words[reason] ?? withoutStop(reason);
}

/** The job's tasks that have failed and have a retry left. */
function backoffReasons(api: ApiContext, { id, counts: { backoff } }: JobView): Reason[] {
  if (backoff === 0) return [];
  const { tasks } = api.state.tasks(id as JobId, { state: 'backoff', limit: MOST_READ });
  const next = Math.min(...tasks.flatMap(({ readyAt }) => readyAt ?? []));
  const when = Number.isFinite(next) ? `; the next one at ${new Date(next).toISOString()}` : '';
  const those = `${plural(backoff, 'task')} did not succeed and ${backoff === 1 ? 'is' : 'are'} tried again`;
  return [{ code: 'backoff', text: `${those}${when}. See \`clobi task list ${id} --state backoff\`.` }];
}

const MOST_READ = 500;
const MOST_REASONS = 3;

/** What the tasks in that state came to it by, commonest first, each with one example; of a large job, of the first ones. */
function commonReasons(api: ApiContext, view: JobView, state: 'failed' | 'cancelled'): Reason[] {
  const { tasks, next } = api.state.tasks(view.id as JobId, { state, limit: MOST_READ });
  const groups = new Map<string, { count: number; example: TaskView }>();
  for (const task of tasks) {
    const why = whyEnded(task);
    groups.set(why, { count: (groups.get(why)?.count ?? 0) + 1, example: groups.get(why)?.example ?? task });
  }
  const among = next === undefined ? '' : ` of the first ${tasks.length}`;
  return [...groups]
    .sort(([, a], [, b]) => b.count - a.count)
    .slice(0, MOST_REASONS)
    .map(([why, { count, example }]) => {
      const said =
        api.state.task(view.id as JobId, example.index)?.attempts?.at(-1)?.message ?? example.message;
      const message = said === null ? '' : `: ${withoutStop(said)}`;
      return {
        code: 'reason',
        text: `${why}: ${plural(count, 'task')}${among}, e.g. task ${example.index}${message}.`,
      };
    });
}

function whyEnded({ state, reason, exitCode, signal }: TaskView): string {
  if (state === 'cancelled' && reason !== null) return describeCancel(reason);
  if (reason === 'exit' && exitCode !== null) return `exit code ${exitCode}`;
  if (reason === 'signal' && signal !== null) return `signal ${signal}`;
  return reason ?? 'no reason given';
}

/** The jobs for whose end this one was cancelled; all of them where none can be singled out. */
function upstreamReasons(api: ApiContext, view: JobView): Reason[] {
  const upstream = (api.state.spec(view.id as JobId)?.depends ?? []).flatMap(
    ({ job }) => api.state.job(job as JobId) ?? [],
  );
  const broken = upstream.filter((job) => isOver(job) && job.state !== 'succeeded');
  return (broken.length === 0 ? upstream : broken).map(({ id, name, state }) => ({
    code: 'dependency',
    text: `It depends on job ${id} (${name}), which is ${state}.`,
  }));
}
