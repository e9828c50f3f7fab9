import type { JobId } from '../../shared/ids.ts';
import { isTerminal, type TaskState } from '../../shared/task-state.ts';
import { eligibility } from '../core/place.ts';
import { placePool } from '../services/plan.ts';
import type { Explanation, JobView, TaskView } from './api.ts';
import { taskOf, viewOf } from './find-job.ts';
import type { ApiContext } from './server.ts';

interface Reason {
  code: string;
  text: string;
}

/** Why a job is where it is, in the words that a person needs to do something about it. */
export function explainJob(api: ApiContext, job: JobId): Explanation {
  const view = viewOf(api.state, job);
  const waiting = view.counts.ready > 0;
  const pools = poolsOf(api, job);
  const reasons = [
    ...heldReasons(view),
    ...dependencyReasons(api, job, view.counts.blocked),
    ...(waiting ? waitingReasons(api, view, pools) : []),
    ...countReasons(view),
  ];
  return {
    summary: reasons[0]?.text ?? `The job is ${view.state}.`,
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
  const pools = isTerminal(task.state) ? [] : poolsOf(api, job);
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
      return [...heldReasons(view), ...waitingReasons(api, view, pools), ...history];
    case 'backoff': {
      const until = task.readyAt === null ? 'later' : `at ${new Date(task.readyAt).toISOString()}`;
      return [
        { code: 'backoff', text: `The last attempt did not succeed; it is tried again ${until}.` },
        ...history,
      ];
    }
    case 'dispatched':
      return [
        {
          code: 'dispatched',
          text: `It is in the queue of pool ${task.pool ?? '?'}; an agent with a free slot takes it.`,
        },
        ...agentReasons(api, task),
        ...history,
      ];
    case 'running':
      return [
        { code: 'running', text: `It runs on agent ${task.agent ?? '?'} of pool ${task.pool ?? '?'}.` },
        ...history,
      ];
    case 'succeeded':
      return [{ code: 'succeeded', text: 'It succeeded.' }, ...history];
    case 'failed':
    case 'cancelled':
    case 'lost':
      return [{ code: task.reason ?? task.state, text: endText(task, task.state) }, ...history];
  }
}

function endText(task: TaskView, state: TaskState): string {
  const last = task.attempts?.at(-1);
  const exit = task.exitCode === null ? '' : ` with exit code ${task.exitCode}`;
  const signal = task.signal === null ? '' : ` by signal ${task.signal}`;
  const message = task.message ?? last?.message ?? null;
  const detail = message === null ? '' : `: ${message}`;
  const reason = task.reason === null ? '' : ` (${task.reason})`;
  if (state === 'lost') return `It was lost ${task.losses} times, and retry.lost allows no more${reason}.`;
  if (state === 'cancelled') return `It was cancelled${reason}${detail}.`;
  return `It failed${exit}${signal}${reason} after ${task.failures} failed attempts${detail}.`;
}

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

function waitingReasons(api: ApiContext, view: JobView, pools: Explanation['pools']): Reason[] {
  const eligible = pools.filter((pool) => pool.eligible);
  if (eligible.length === 0) {
    return [
      {
        code: 'no-eligible-pool',
        text: `No pool meets the requirements: ${pools.map(({ pool, ruledOutBy }) => `${pool} ${ruledOutBy.join(', ')}`).join('; ')}.`,
      },
    ];
  }
  const maxParallel = api.state.spec(view.id as JobId)?.maxParallel ?? null;
  const outstanding = view.counts.dispatched + view.counts.running;
  if (maxParallel !== null && outstanding >= maxParallel) {
    return [
      {
        code: 'max-parallel',
        text: `The job already has ${outstanding} tasks out, and maxParallel is ${maxParallel}.`,
      },
    ];
  }
  if (eligible.every(({ pool }) => api.state.load(pool, 0).liveAgents === 0)) {
    const [first] = eligible;
    return [
      {
        code: 'no-agents',
        text: `No agent is live in ${eligible.map(({ pool }) => pool).join(', ')}. Start one: \`clobi agent start --pool ${first?.pool ?? ''}\`.`,
      },
    ];
  }
  return [
    { code: 'queued', text: 'It waits for its turn: the pools have as much work as they can soon run.' },
  ];
}

function countReasons(view: JobView): Reason[] {
  const { failed, lost, cancelled } = view.counts;
  const reasons: Reason[] = [];
  if (failed + lost > 0)
    reasons.push({
      code: 'failed',
      text: `${failed} tasks failed and ${lost} were lost. See \`clobi task list ${view.id} --state failed\`.`,
    });
  if (cancelled > 0)
    reasons.push({
      code: 'cancelled',
      text: `${cancelled} tasks were cancelled${view.cancelReason === null ? '' : `: ${view.cancelReason}`}.`,
    });
  return reasons;
}

function poolsOf(api: ApiContext, job: JobId): Explanation['pools'] {
  const spec = api.state.spec(job);
  if (spec === undefined) return [];
  return api.pools.map((pool) => ({ pool: pool.name, ...eligibility(spec, placePool(api, pool)) }));
}
