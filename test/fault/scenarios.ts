import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentView } from '../../coordinator/http/api.ts';
import type { CheckOptions, Violation } from '../checker/invariants.ts';
import { Cluster, QUICK } from '../helpers/cluster.ts';
import { diesAt } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait.ts';

/** A story in which rules matter, told with real processes; `plant` names the bug that those processes carry. */
export interface Scenario {
  story: string;
  bugs: { bug: string; finds: string[] }[];
  play: (plant: string) => Promise<Violation[]>;
}

/** A run with a bug may never end: then the checker says so (I1) when this is over. One without ends, however slow the machine. */
const GIVE_UP_MS = 8_000;
const NEVER_MS = 120_000;
/** Long enough that nobody is declared dead within a scenario. */
const NEVER_DEAD = { ...QUICK, dead: 120_000 };
/** An agent that wakes up reports what has ended meanwhile before it hears of the revoke, which would change the report. */
const DEAF = { controlPoll: 60_000 };
/** So rarely that no heartbeat claims anything within a scenario. */
const NO_HEARTBEAT = { ...QUICK, heartbeat: 60_000, dead: 120_000 };

/** A task that waits for a file named after its attempt, leaves a mark, and ends with the exit code written in the file. */
const byAttempt = (gates: string): string[] => [
  'sh',
  '-c',
  `while [ ! -s "${gates}/$CLOBI_ATTEMPT" ]; do sleep 0.05; done; : > "${gates}/$CLOBI_ATTEMPT.ended"; exit "$(cat "${gates}/$CLOBI_ATTEMPT")"`,
];

interface Stage {
  cluster: Cluster;
  plant: Record<string, string>;
  gates: string;
  /** Lets the run of this attempt end with the exit code. */
  open: (attempt: string, exitCode: number) => Promise<void>;
}

async function onStage(
  plant: string,
  settings: typeof QUICK,
  play: (stage: Stage) => Promise<{ job: string; options?: CheckOptions }>,
): Promise<Violation[]> {
  await using cluster = await Cluster.create(settings);
  const gates = join(cluster.home, 'gates');
  await mkdir(gates);
  const env = plant === '' ? {} : { CLOBI_PLANT: plant };
  const open = (attempt: string, exitCode: number): Promise<void> =>
    writeFile(join(gates, attempt), String(exitCode));
  const { job, options } = await play({ cluster, plant: env, gates, open });
  await cluster.over(job, plant === '' ? NEVER_MS : GIVE_UP_MS).catch(() => undefined);
  await cluster.observe(job);
  return await cluster.violations(options);
}

/** The attempt now running, on this agent where one is named. */
const runningAttempt = (cluster: Cluster, job: string, on?: string): Promise<string> =>
  waitFor('an attempt runs', async () => {
    const { state, attempt, agent } = await cluster.task(job, 0);
    return state === 'running' && attempt !== null && (on === undefined || agent === on) && attempt;
  });

/** The task's own process has ended, though its agent may be stopped and not know it. */
const taskEnded = (gates: string, attempt: string): Promise<boolean> =>
  waitFor(`attempt ${attempt} has ended`, () => existsSync(join(gates, `${attempt}.ended`)));

/** The agent has been heard of again and holds nothing: whatever it ran is in a segment. */
async function reported(cluster: Cluster, name: string): Promise<void> {
  const since = Date.now();
  await waitFor(`${name} has reported`, async () => {
    const { agents } = await cluster.get<{ agents: AgentView[] }>('/v1/agents');
    const agent = agents.find(({ agent: known }) => known === name);
    return agent !== undefined && agent.lastHeardAt > since && agent.units === 0 && agent.running === 0;
  });
}

const sleepingHolder = (plant: string): Promise<Violation[]> =>
  onStage(plant, NEVER_DEAD, async ({ cluster, plant: env, gates, open }) => {
    await cluster.startCoordinator(env);
    const sleeper = cluster.startAgent('sleeper', { slots: 1, env });
    const job = await cluster.submit({ command: byAttempt(gates) });
    const attempt = await runningAttempt(cluster, job);
    await cluster.suspend(sleeper);
    await open(attempt, 0);
    // The lease runs out, another agent receives the message for the second time and hands it back.
    cluster.startAgent('other', { slots: 1, env });
    await waitFor('the queue is empty again', async () => {
      const { pools } = await cluster.get<{ pools: { queueDepth: number | null }[] }>('/v1/pools');
      const { agents } = await cluster.get<{ agents: { agent: string }[] }>('/v1/agents');
      return agents.length === 2 && pools[0]?.queueDepth === 0;
    });
    // Longer than a lease: whatever the other agent does with the message, it has begun by then.
    const over = Date.now() + 2 * (QUICK.lease ?? 0);
    await waitFor('the other agent has had its time', () => Date.now() > over);
    sleeper.signal('SIGCONT');
    await reported(cluster, 'sleeper');
    return { job, options: { expectNoLosses: true } };
  });

const crashAtReceipt = (plant: string): Promise<Violation[]> =>
  onStage(plant, NO_HEARTBEAT, async ({ cluster, plant: env }) => {
    await cluster.startCoordinator(env);
    const doomed = cluster.startAgent('doomed', {
      slots: 1,
      env: { ...env, CLOBI_FAULT: 'take.after-check' },
    });
    const job = await cluster.submit({ command: ['true'] });
    await diesAt(doomed, 'take.after-check');
    cluster.startAgent('successor', { slots: 1, env });
    return { job };
  });

const crashAfterEvent = (plant: string): Promise<Violation[]> =>
  onStage(plant, QUICK, async ({ cluster, plant: env }) => {
    await cluster.startCoordinator(env);
    const doomed = cluster.startAgent('doomed', {
      slots: 1,
      env: { ...env, CLOBI_FAULT: 'report.after-event' },
    });
    const job = await cluster.submit({ command: ['true'] });
    await diesAt(doomed, 'report.after-event');
    cluster.startAgent('successor', { slots: 1, env });
    return { job };
  });

const crashAfterSegment = (plant: string): Promise<Violation[]> =>
  onStage(plant, QUICK, async ({ cluster, plant: env }) => {
    await cluster.startCoordinator(env);
    const doomed = cluster.startAgent('doomed', {
      slots: 1,
      env: { ...env, CLOBI_FAULT: 'report.after-segment' },
    });
    const job = await cluster.submit({
      command: ['sh', '-c', 'sleep 1'],
      retry: { lost: 0, backoff: { initialMs: 10, factor: 1, maxMs: 10 } },
    });
    await diesAt(doomed, 'report.after-segment');
    cluster.startAgent('successor', { slots: 1, env });
    return { job };
  });

const crashBeforeSend = (plant: string): Promise<Violation[]> =>
  onStage(plant, QUICK, async ({ cluster, plant: env }) => {
    await cluster.meetAgents('a');
    const doomed = await cluster.startCoordinator({ ...env, CLOBI_FAULT: 'dispatch.before-send' });
    const submitted = cluster.submit({ command: ['true'] });
    await diesAt(doomed, 'dispatch.before-send');
    await cluster.startCoordinator(env);
    return { job: await submitted, options: { copiesAllowed: true } };
  });

/** An agent sleeps past the dead time with attempt 1, attempt 2 runs elsewhere, then attempt 1 fails late. */
const lateFailure = (plant: string): Promise<Violation[]> =>
  onStage(plant, { ...QUICK, ...DEAF }, async ({ cluster, plant: env, gates, open }) => {
    await cluster.startCoordinator(env);
    const sleeper = cluster.startAgent('sleeper', { slots: 1, env });
    const job = await cluster.submit({ command: byAttempt(gates) });
    const first = await runningAttempt(cluster, job);
    await cluster.suspend(sleeper);
    cluster.startAgent('other', { slots: 1, env });
    const second = await runningAttempt(cluster, job, 'other');
    await open(first, 1);
    await taskEnded(gates, first);
    sleeper.signal('SIGCONT');
    await waitFor(
      'the late failure is known',
      async () => {
        const { events } = await cluster.get<{ events: { type: string }[] }>(`/v1/jobs/${job}/events`);
        return events.some(({ type }) => type === 'superseded' || type === 'failed' || type === 'finished');
      },
      GIVE_UP_MS,
    ).catch(() => undefined);
    await open(second, 0);
    return { job };
  });

const lateSuccessAfterCancel = (plant: string): Promise<Violation[]> =>
  onStage(plant, { ...NEVER_DEAD, ...DEAF }, async ({ cluster, plant: env, gates, open }) => {
    await cluster.startCoordinator(env);
    const sleeper = cluster.startAgent('sleeper', { slots: 1, env });
    const job = await cluster.submit({ command: byAttempt(gates) });
    const attempt = await runningAttempt(cluster, job);
    await cluster.suspend(sleeper);
    await open(attempt, 0);
    // The task's own process is not stopped: it ends with success before the agent can hear of the cancel.
    await taskEnded(gates, attempt);
    await cluster.call('POST', `/v1/jobs/${job}/cancel`, {});
    await cluster.over(job);
    await cluster.observe(job);
    sleeper.signal('SIGCONT');
    await waitFor(
      'its outcome is known',
      async () => {
        const { events } = await cluster.get<{ events: { type: string }[] }>(`/v1/jobs/${job}/events`);
        return events.some(({ type }) => type === 'superseded');
      },
      GIVE_UP_MS,
    ).catch(() => undefined);
    return { job };
  });

const deadWithTheLastLoss = (plant: string): Promise<Violation[]> =>
  onStage(plant, QUICK, async ({ cluster, plant: env, gates, open }) => {
    await cluster.startCoordinator(env);
    const doomed = cluster.startAgent('doomed', { slots: 1, env });
    const job = await cluster.submit({
      command: byAttempt(gates),
      retry: { lost: 0, backoff: { initialMs: 10, factor: 1, maxMs: 10 } },
    });
    await runningAttempt(cluster, job);
    await doomed.kill();
    await open('1.2', 0);
    cluster.startAgent('successor', { slots: 1, env });
    return { job };
  });

/** One short task has run and its report waits for the flush, because another slot is still busy. */
const slowReport = (plant: string): Promise<Violation[]> =>
  onStage(plant, { ...QUICK, flush: 3_000 }, async ({ cluster, plant: env, gates, open }) => {
    await cluster.startCoordinator(env);
    cluster.startAgent('a', { slots: 2, env });
    const busy = await cluster.submit({ command: byAttempt(gates) });
    await runningAttempt(cluster, busy);
    const job = await cluster.submit({ command: ['sleep', '1'] });
    await cluster.over(job, GIVE_UP_MS).catch(() => undefined);
    await open('1.1', 0);
    await cluster.over(busy, GIVE_UP_MS).catch(() => undefined);
    return { job, options: { expectNoLosses: true } };
  });

/** Nothing happens to it. */
const plainSuccess = (plant: string): Promise<Violation[]> =>
  onStage(plant, NEVER_DEAD, async ({ cluster, plant: env }) => {
    await cluster.startCoordinator(env);
    cluster.startAgent('a', { slots: 1, env });
    return { job: await cluster.submit({ command: ['true'] }), options: { expectNoLosses: true } };
  });

export const scenarios: Scenario[] = [
  {
    story: 'a task succeeds and is shown so',
    bugs: [{ bug: 'no-verdict-export', finds: ['I2'] }],
    play: plainSuccess,
  },
  {
    story: 'an agent sleeps past its lease while another one receives the same message',
    bugs: [{ bug: 'run-redelivered', finds: ['R3'] }],
    play: sleepingHolder,
  },
  {
    story: 'an agent dies at the receipt of a unit that it has never claimed',
    bugs: [
      { bug: 'delete-at-receipt', finds: ['I1'] },
      { bug: 'delete-duplicate-silently', finds: ['I1'] },
      { bug: 'returned-forgotten', finds: ['I1'] },
    ],
    play: crashAtReceipt,
  },
  {
    story: 'an agent dies between the event and what comes after it',
    bugs: [{ bug: 'event-before-segment', finds: ['I3'] }],
    play: crashAfterEvent,
  },
  {
    story: 'an agent dies after its segment, with no loss to spare',
    bugs: [{ bug: 'no-segments-before-void', finds: ['R7'] }],
    play: crashAfterSegment,
  },
  {
    story: 'the coordinator dies before the send of a unit',
    bugs: [{ bug: 'no-outbox', finds: ['I1'] }],
    play: crashBeforeSend,
  },
  {
    story: 'a lost attempt fails late, while its successor runs',
    bugs: [
      { bug: 'old-failure-counted', finds: ['I5'] },
      { bug: 'void-without-new-attempt', finds: ['I5', 'I2', 'R3'] },
    ],
    play: lateFailure,
  },
  {
    story: 'a task succeeds after it was cancelled',
    bugs: [{ bug: 'commit-after-terminal', finds: ['I2'] }],
    play: lateSuccessAfterCancel,
  },
  {
    story: 'an agent dies with a task that may never be started twice',
    bugs: [{ bug: 'losses-not-counted', finds: ['I5'] }],
    play: deadWithTheLastLoss,
  },
  {
    story: 'an outcome waits for its report',
    bugs: [{ bug: 'drop-claim-while-uploading', finds: ['no-fault-no-loss'] }],
    play: slowReport,
  },
];
