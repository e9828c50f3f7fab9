import { mkdirSync } from 'node:fs';
import type { z } from 'zod';
import { type CoordinatorConfig, loadConfig, type RawSettings } from '../../../../coordinator/config.ts';
import type { Context, Pool } from '../../../../coordinator/services/context.ts';
import { Metrics } from '../../../../coordinator/services/metrics.ts';
import { closePools, openPools, openPrimary } from '../../../../coordinator/services/pools.ts';
import { stateFile } from '../../../../coordinator/services/rebuild.ts';
import { Signals } from '../../../../coordinator/services/signals.ts';
import { Staging } from '../../../../coordinator/services/staging.ts';
import { openState } from '../../../../coordinator/state/open.ts';
import type { AgentId, BootId, PoolName, RunId, UnitId } from '../../../../shared/ids.ts';
import { jobSpecSchema, type JobSpec } from '../../../../shared/job-spec.ts';
import { silentLogger } from '../../../../shared/log.ts';
import { coordinatorDirectory, queuesDirectory, storeDirectory } from '../../../../shared/paths.ts';
import type { AgentEvent, EventBatch, Outcome } from '../../../../shared/wire/event.ts';
import type { UnitBody } from '../../../../shared/wire/unit.ts';
import { unseal } from '../../../../shared/wire/signature.ts';
import { temporaryDirectory } from '../../../helpers/temporary.ts';

/** A coordinator's inside on a directory of its own: real state, queues and store, a clock that tests move. */
export interface Rig extends AsyncDisposable {
  context: Context;
  pool: Pool;
  clock: { ms: number };
}

interface RigOptions {
  /** Names of pools beside `local` that keep their objects in a store of their own. */
  clouds?: readonly string[];
  /** May put anything into the home before it is opened. */
  prepare?: (home: string) => void;
}

export async function makeRig(
  settings: RawSettings = {},
  { clouds = [], prepare = () => undefined }: RigOptions = {},
): Promise<Rig> {
  const home = await temporaryDirectory();
  for (const path of [coordinatorDirectory(home.path), queuesDirectory(home.path), storeDirectory(home.path)])
    mkdirSync(path, { recursive: true });
  prepare(home.path);
  const config = withClouds(loadConfig({ home: home.path, flags: settings }), clouds);
  const state = openState(stateFile(home.path));
  state.setEpoch(1);
  const primary = await openPrimary(config, silentLogger);
  const pools = await openPools(config, primary, silentLogger);
  const clock = { ms: Date.now() };
  const context: Context = {
    config,
    state,
    store: primary.store,
    storeGuard: primary.guard,
    storeMeter: primary.meter,
    pools,
    log: silentLogger,
    signals: new Signals(),
    staging: new Staging(),
    metrics: new Metrics(),
    clock: { now: () => clock.ms },
  };
  return {
    context,
    pool: pools[0]!,
    clock,
    async [Symbol.asyncDispose]() {
      await closePools(pools);
      state.close();
      await home[Symbol.asyncDispose]();
    },
  };
}

function withClouds(config: CoordinatorConfig, names: readonly string[]): CoordinatorConfig {
  const local = config.pools[0]!;
  const clouds = names.map((name) => ({
    ...local,
    name,
    unitsQueue: local.unitsQueue.replace('-local-', `-${name}-`),
    eventsQueue: local.eventsQueue.replace('-local-', `-${name}-`),
    deadQueue: local.deadQueue.replace('-local-', `-${name}-`),
    store: `file:${config.home}/store-${name}`,
  }));
  return { ...config, pools: [...config.pools, ...clouds] };
}

export function specOf(spec: Partial<z.input<typeof jobSpecSchema>> = {}): JobSpec {
  return jobSpecSchema.parse({
    v: 1,
    name: 'test',
    owner: 'tester',
    command: ['true'],
    script: null,
    tasks: { kind: 'count', count: 1 },
    resources: {},
    timeout: {},
    retry: { backoff: { initialMs: 10, factor: 2, maxMs: 100 } },
    placement: {},
    retention: {},
    ...spec,
  });
}

/** What an agent says, by hand. Batches of one boot must come with growing `seq`. */
export class FakeAgent {
  readonly agent: AgentId;
  readonly boot: BootId;
  readonly pool: PoolName;
  #seq = 0;

  constructor(name: string, boot = `${name}-boot`, pool = 'local') {
    this.agent = name as AgentId;
    this.boot = boot as BootId;
    this.pool = pool as PoolName;
  }

  batch(...events: AgentEvent[]): EventBatch {
    this.#seq += 1;
    return {
      v: 1,
      ns: 'clobi',
      pool: this.pool,
      agent: this.agent,
      boot: this.boot,
      seq: this.#seq,
      sentAt: 0,
      events,
    };
  }

  hello(slots = 2): EventBatch {
    const capacity = { slots, cpus: slots, memoryBytes: 2 ** 33, gpus: 0 };
    return this.batch(
      {
        type: 'hello',
        host: 'h',
        pid: 1,
        arch: 'x64',
        version: '0',
        capacity,
        labels: {},
        isolation: 'none',
      },
      this.heartbeatEvent([]),
    );
  }

  heartbeat(claims: readonly UnitId[]): EventBatch {
    return this.batch(this.heartbeatEvent(claims));
  }

  heartbeatEvent(claims: readonly UnitId[]): AgentEvent {
    return { type: 'heartbeat', claims: [...claims], running: 0, freeSlots: 1 };
  }

  outcome(unit: UnitBody, index: number, change: Partial<Outcome> = {}): Outcome {
    const task = unit.tasks.find((one) => one.index === index)!;
    return {
      job: unit.job,
      index,
      attempt: task.attempt,
      run: `${task.attempt}-abc` as RunId,
      unit: unit.unit,
      agent: this.agent,
      boot: this.boot,
      result: 'succeeded',
      reason: null,
      exitCode: 0,
      signal: null,
      message: null,
      startedAt: 1,
      endedAt: 2,
      outputs: [],
      stdout: { bytes: 2, inline: 'hi' },
      stderr: { bytes: 0, inline: '' },
      ...change,
    };
  }
}

/** The body of a unit message, unverified. */
export const bodyOf = (message: string): UnitBody => JSON.parse(unseal(message)!.body) as UnitBody;

/** Takes every message waiting in the units queue. */
export async function takeUnits(pool: Pool): Promise<UnitBody[]> {
  const deliveries = await pool.units.receive({ max: 100, waitMs: 0, leaseMs: 60_000 });
  return deliveries.map(({ body }) => bodyOf(body));
}
