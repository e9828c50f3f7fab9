import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { z } from 'zod';
import type { JobView, SubmitReply, TaskView } from '../../coordinator/http/api.ts';
import { jobSpecSchema, type TaskParams } from '../../shared/job-spec.ts';
import { openStore } from '../../shared/providers/open.ts';
import { isTerminal } from '../../shared/task-state.ts';
import { type HistoryLine, historyOf } from '../checker/history.ts';
import { type CheckOptions, check, type Violation } from '../checker/invariants.ts';
import { mergedStore } from '../checker/merged-store.ts';
import { Process } from './process.ts';
import { waitFor } from './wait.ts';

/** Settings of `clobi.yaml` that a test may want otherwise; numbers are milliseconds. */
export type Settings = Partial<
  Record<
    'heartbeat' | 'dead' | 'lease' | 'flush' | 'controlPoll' | 'unitTarget' | 'notAfter' | 'holdDown',
    number
  >
> &
  Partial<Record<'patience' | 'lookahead', number | 'off'>> & { pools?: Record<string, object | null> };

/** Short enough for a test, long enough for a busy machine. Patience is off: with it, broken rules heal late and go unseen. */
export const QUICK: Settings = {
  heartbeat: 200,
  dead: 2_000,
  lease: 2_000,
  controlPoll: 50,
  patience: 'off',
};

type SpecInput = z.input<typeof jobSpecSchema>;

/** A coordinator and agents as real processes on a directory of their own, and a client that remembers what it saw. */
export class Cluster {
  readonly home: string;
  /** What every process of it gets, e.g. credentials. */
  readonly env: Readonly<Record<string, string>>;
  coordinator: Process | undefined;
  readonly agents = new Map<string, Process>();
  readonly history: HistoryLine[] = [];

  private constructor(home: string, env: Readonly<Record<string, string>>) {
    this.home = home;
    this.env = env;
  }

  static async create(
    settings: Settings = QUICK,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Cluster> {
    const cluster = new Cluster(await mkdtemp(join(tmpdir(), 'clobi-test-')), env);
    await writeFile(join(cluster.home, 'clobi.yaml'), JSON.stringify(settings));
    return cluster;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const processes = [
      ...this.agents.values(),
      ...(this.coordinator === undefined ? [] : [this.coordinator]),
    ];
    await Promise.all(processes.map((process) => process.kill()));
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }

  async startCoordinator(env: Record<string, string> = {}, options: string[] = []): Promise<Process> {
    const args = ['coordinator', 'start', '--home', this.home, '--listen', '127.0.0.1:0', ...options];
    this.coordinator = new Process(args, { ...this.env, ...env });
    await this.reachable(this.coordinator);
    return this.coordinator;
  }

  /** Resolves when the API answers, or when the process has died (a fault point may kill it at once). */
  private async reachable(process: Process): Promise<void> {
    const answers = async (): Promise<boolean> => {
      if (!process.alive) return true;
      const endpoint = await this.endpoint();
      return (
        endpoint !== undefined &&
        endpoint.pid === process.child.pid &&
        (await fetch(`${endpoint.url}/healthz`).then(
          (r) => r.ok,
          () => false,
        ))
      );
    };
    await waitFor('the coordinator answers', answers, 90_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${process.output}`);
    });
  }

  startAgent(
    name: string,
    options: { pool?: string; slots?: number; env?: Record<string, string> } = {},
  ): Process {
    const args = [
      'agent',
      'start',
      '--pool',
      options.pool ?? 'local',
      '--home',
      this.home,
      '--name',
      name,
      '--slots',
      String(options.slots ?? 2),
    ];
    const agent = new Process(args, { ...this.env, ...options.env });
    this.agents.set(name, agent);
    return agent;
  }

  /** Agents that a coordinator has met; then that coordinator is killed, for another one to take its place. */
  async meetAgents(...names: string[]): Promise<void> {
    await this.startCoordinator();
    for (const name of names) this.startAgent(name, { slots: 1 });
    await waitFor('the agents are known', async () => {
      const { agents } = await this.get<{ agents: unknown[] }>('/v1/agents');
      return agents.length === names.length;
    });
    await this.coordinator?.kill();
  }

  /**
   * SIGSTOP, but never inside a transaction on a queue: there it would hold the lock of that file, which no other process
   * of this machine could then take.
   */
  async suspend(agent: Process): Promise<void> {
    const files = ['units', 'events'].map((name) => join(this.home, 'queues', `clobi-local-${name}.sqlite`));
    await waitFor('the agent is stopped outside of a transaction', () => {
      agent.signal('SIGSTOP');
      if (files.every(isFree)) return true;
      agent.signal('SIGCONT');
      return false;
    });
  }

  async endpoint(): Promise<{ url: string; pid: number } | undefined> {
    return readFile(join(this.home, 'coordinator', 'endpoint.json'), 'utf8').then(
      (text) => JSON.parse(text) as { url: string; pid: number },
      () => undefined,
    );
  }

  /** One call of the API; undefined when the coordinator cannot be reached just now. */
  async call<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T | undefined> {
    return this.send<T>(
      method,
      path,
      body === undefined ? undefined : ['application/json', JSON.stringify(body)],
    );
  }

  /** A job as lines: the spec, then the parameters of each task. */
  sendLines(lines: string): Promise<SubmitReply | undefined> {
    return this.send('POST', '/v1/jobs', ['application/x-ndjson', lines]);
  }

  private async send<T>(method: string, path: string, content?: [string, string]): Promise<T | undefined> {
    const endpoint = await this.endpoint();
    if (endpoint === undefined) return undefined;
    const token = (await readFile(join(this.home, 'coordinator', 'token'), 'utf8')).trim();
    const [type, body] = content ?? [];
    const headers = {
      authorization: `Bearer ${token}`,
      ...(type === undefined ? {} : { 'content-type': type }),
    };
    const response = await fetch(endpoint.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    }).catch(() => undefined);
    if (response === undefined) return undefined;
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${String(response.status)} ${text}`);
    return JSON.parse(text) as T;
  }

  get<T>(path: string, deadlineMs?: number): Promise<T> {
    return waitFor(`GET ${path}`, () => this.call<T>('GET', path).catch(() => undefined), deadlineMs);
  }

  /** Submits until acknowledged, with one idempotency key, as the CLI does. */
  async submit(spec: Partial<SpecInput> & { command: string[] }, items?: TaskParams[]): Promise<string> {
    const full = specOf(spec);
    const reply = await waitFor('the job is acknowledged', () =>
      this.call<SubmitReply>('POST', '/v1/jobs', { spec: full, ...(items && { items }) }),
    );
    this.history.push({
      type: 'acknowledged',
      job: reply.job,
      tasks: reply.tasks,
      retryLimit: full.retry.limit,
      retryLost: full.retry.lost,
    });
    return reply.job;
  }

  job(job: string): Promise<JobView> {
    return this.get<JobView>(`/v1/jobs/${job}`);
  }

  task(job: string, index: number): Promise<TaskView> {
    return this.get<TaskView>(`/v1/jobs/${job}/tasks/${String(index)}`);
  }

  /** Waits until the whole job is over. Fails after the deadline with where everything stands. */
  async over(job: string, deadlineMs = 240_000): Promise<JobView> {
    const last = { view: undefined as JobView | undefined };
    return waitFor(
      `job ${job} is over`,
      async () => {
        last.view = (await this.call<JobView>('GET', `/v1/jobs/${job}`).catch(() => undefined)) ?? last.view;
        return typeof last.view?.endedAt === 'number' && last.view;
      },
      deadlineMs,
    ).catch((error: unknown) => {
      throw new Error(
        `${String(error)}; it is ${JSON.stringify(last.view?.counts)}\n${this.coordinator?.output.slice(-3_000) ?? ''}`,
      );
    });
  }

  async tasks(job: string): Promise<TaskView[]> {
    const all: TaskView[] = [];
    for (let after = -1; ; ) {
      const page = await this.get<{ tasks: TaskView[]; next?: number }>(
        `/v1/jobs/${job}/tasks?limit=1000&after=${String(after)}`,
      );
      all.push(...page.tasks);
      const last = page.tasks.at(-1);
      if (last === undefined || page.next === undefined) return all;
      after = last.index;
    }
  }

  /** Writes down every final state that the coordinator shows now, with its attempts. */
  async observe(job: string, withAttempts = true): Promise<TaskView[]> {
    const tasks = await this.tasks(job);
    for (const task of tasks.filter(({ state }) => isTerminal(state))) {
      const full = withAttempts ? await this.task(job, task.index) : task;
      if (isTerminal(full.state))
        this.history.push({
          type: 'shown',
          job,
          index: task.index,
          state: full.state,
          run: full.run,
          ...(full.attempts && { attempts: full.attempts }),
        });
    }
    return tasks;
  }

  /** What the checker finds, from the stores and this client's history alone. */
  async violations(
    options?: CheckOptions,
    storeUrls: readonly string[] = [`file:${join(this.home, 'store')}`],
  ): Promise<Violation[]> {
    const stores = await Promise.all(storeUrls.map((url) => openStore(url)));
    return check(mergedStore(stores), historyOf(this.history), options);
  }
}

function isFree(file: string): boolean {
  const database = new DatabaseSync(file, { timeout: 500 });
  try {
    database.exec('BEGIN IMMEDIATE; ROLLBACK');
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}

let submissions = 0;

/** A complete spec from the few fields a test cares for. */
export function specOf(spec: Partial<SpecInput> & { command: string[] }) {
  submissions += 1;
  return jobSpecSchema.parse({
    v: 1,
    name: 'test',
    owner: 'tester',
    script: null,
    tasks: { kind: 'count', count: 1 },
    resources: {},
    timeout: {},
    retry: { backoff: { initialMs: 50, factor: 2, maxMs: 500 } },
    placement: {},
    retention: {},
    idempotencyKey: `test-${String(process.pid)}-${String(submissions)}`,
    ...spec,
  });
}
