import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CoordinatorState, openState } from '../../../../coordinator/state/open.ts';
import type { Applied, UnitRow, VoidReason } from '../../../../coordinator/state/store.ts';
import {
  type AgentId,
  attemptId,
  type BootId,
  epochOfUnit,
  type JobId,
  newJobId,
  newRunId,
  type PoolName,
  type UnitId,
} from '../../../../shared/ids.ts';
import type { TaskParams } from '../../../../shared/job-spec.ts';
import type { AgentEvent, EventBatch, Outcome } from '../../../../shared/wire/event.ts';
import type { Verdict } from '../../../../shared/wire/verdict.ts';
import { segmentKey } from '../../../../shared/wire/keys.ts';
import { specOf } from '../../../helpers/cluster.ts';

export const POOL = 'local' as PoolName;
type SpecInput = Parameters<typeof specOf>[0];

export const retryOf = (limit: number, lost: number, rest: object = {}) => ({
  limit,
  lost,
  backoff: { initialMs: 100, factor: 2, maxMs: 1_000 },
  ...rest,
});

/** A real state on a real file, moved by hand: the clock, the agents and the crashes are the test's. */
export class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), 'clobi-state-'));
  state: CoordinatorState;
  now = 1_000_000;
  /** Every verdict object ever marked, by number. */
  readonly exported: Verdict[] = [];

  constructor(epoch = 1) {
    this.state = this.#open();
    this.state.setEpoch(epoch);
  }

  [Symbol.dispose](): void {
    this.state.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #open(): CoordinatorState {
    return openState(join(this.folder, 'state.sqlite'), () => 0.5);
  }

  /** What the next life finds: only what was committed. */
  crash(): void {
    this.state.close();
    this.state = this.#open();
  }

  submit(spec: Partial<SpecInput> = {}, items: TaskParams[] | null = null): JobId {
    const id = newJobId();
    this.state.stageJob({
      id,
      spec: specOf({ command: ['true'], ...spec }),
      specSha256: 'x',
      itemSet: items === null ? null : this.itemSet(items),
      submittedAt: this.now,
    });
    this.state.acknowledgeJob(id, this.now);
    return id;
  }

  itemSet(items: readonly TaskParams[]): number {
    const set = this.state.newItemSet();
    this.state.addItems(
      set,
      items.map((item) => JSON.stringify(item)),
    );
    return set;
  }

  count(count: number, spec: Partial<SpecInput> = {}): JobId {
    return this.submit({ tasks: { kind: 'count', count }, ...spec });
  }

  /** Rows written and, unless told otherwise, marked sent. */
  units(job: JobId, sizes: number[], options: { pool?: string; send?: boolean } = {}): UnitRow[] {
    const pool = options.pool ?? POOL;
    const units = this.state.createUnits({ job, pool, sizes, now: this.now, notAfter: this.now + 1e9 });
    if (options.send !== false)
      this.state.markSent(
        units.map(({ unit }) => unit),
        this.now,
      );
    return units;
  }

  unit(job: JobId, size = 1): UnitRow {
    const [unit] = this.units(job, [size]);
    if (unit === undefined) throw new Error(`job ${job} has nothing ready`);
    return unit;
  }

  agent(name: string, boot = `${name}-boot-1`, pool = POOL): Hand {
    return new Hand(this, name as AgentId, boot as BootId, pool);
  }

  commit(outcomes: Outcome[]): Applied {
    return this.state.commit(outcomes, this.now);
  }

  /** What the rescuer does, but for the reading of segments. */
  rescue(patienceBefore: number | null = null): { unit: UnitId; why: VoidReason }[] {
    const candidates = this.state.voidCandidates(POOL, patienceBefore);
    this.state.voidUnits(candidates, this.now);
    return candidates.map(({ unit, why }) => ({ unit, why }));
  }

  silence(deadMs = 1_000): string[] {
    return this.state.endSilentBoots(POOL, this.now - deadMs, this.now).map(({ boot }) => boot);
  }

  export(limit = 1_000): Verdict[] {
    const all: Verdict[] = [];
    for (
      let pending = this.state.pendingVerdicts(limit);
      pending !== undefined;
      pending = this.state.pendingVerdicts(limit)
    ) {
      all.push(...pending.verdicts);
      this.state.markExported(pending.number, this.now);
    }
    this.exported.push(...all);
    return all;
  }

  /** The state as the judge has it: exported first, so that nothing is hidden. */
  shown(job: JobId, index = 0): string {
    this.export();
    return this.task(job, index).state;
  }

  task(job: JobId, index = 0) {
    const task = this.state.task(job, index);
    if (task === undefined) throw new Error(`there is no task ${index}`);
    return task;
  }

  attempts(job: JobId, index = 0): string[] {
    return (this.task(job, index).attempts ?? []).map(({ attempt, result }) => `${attempt} ${result}`);
  }
}

/** One boot of an agent, as the coordinator hears it. */
export class Hand {
  readonly #rig: Rig;
  readonly agent: AgentId;
  readonly boot: BootId;
  readonly pool: PoolName;
  seq = 0;
  segments = 0;

  constructor(rig: Rig, agent: AgentId, boot: BootId, pool: PoolName) {
    this.#rig = rig;
    this.pool = pool;
    this.agent = agent;
    this.boot = boot;
  }

  batch(events: AgentEvent[], seq = (this.seq += 1)): EventBatch {
    return {
      v: 1,
      ns: 'clobi',
      pool: this.pool,
      agent: this.agent,
      boot: this.boot,
      seq,
      sentAt: this.#rig.now,
      events,
    };
  }

  say(...events: AgentEvent[]): Applied {
    return this.#rig.state.apply([this.batch(events)], this.#rig.now);
  }

  hello(slots = 2, labels: Record<string, string> = {}): Applied {
    const capacity = { slots, cpus: 4, memoryBytes: 8e9, gpus: 0 };
    return this.say({
      type: 'hello',
      host: 'h',
      pid: 1,
      arch: 'x64',
      version: '0',
      capacity,
      labels,
      isolation: 'process-group',
    });
  }

  heartbeatEvent(...claims: UnitRow[]): AgentEvent {
    return { type: 'heartbeat', claims: claims.map(({ unit }) => unit), running: 0, freeSlots: 1 };
  }

  holds(...claims: UnitRow[]): Applied {
    return this.say(this.heartbeatEvent(...claims));
  }

  started(unit: UnitRow): Applied {
    const tasks = unit.tasks.map(({ index, attempt }) => {
      const id = attemptId(epochOfUnit(unit.unit), attempt);
      return { index, attempt: id, run: newRunId(id), at: this.#rig.now };
    });
    return this.say({ type: 'started', unit: unit.unit, tasks });
  }

  returns(
    unit: UnitRow,
    options: { receiveCount?: number; why?: 'redelivered' | 'recent' | 'draining'; notBegun?: number[] } = {},
  ): Applied {
    const { receiveCount = 1, why = 'draining', notBegun = unit.tasks.map(({ index }) => index) } = options;
    return this.say({ type: 'returned', unit: unit.unit, receiveCount, why, notBegun });
  }

  outcome(unit: UnitRow, at = 0, fields: Partial<Outcome> = {}): Outcome {
    const task = unit.tasks[at]!;
    const attempt = attemptId(epochOfUnit(unit.unit), task.attempt);
    const ok = (fields.result ?? 'succeeded') === 'succeeded';
    return {
      job: unit.job,
      index: task.index,
      attempt,
      run: newRunId(attempt),
      unit: unit.unit,
      agent: this.agent,
      boot: this.boot,
      result: 'succeeded',
      reason: ok ? null : 'exit',
      exitCode: ok ? 0 : 1,
      signal: null,
      message: null,
      startedAt: this.#rig.now - 10,
      endedAt: this.#rig.now,
      outputs: [],
      stdout: { bytes: 0 },
      stderr: { bytes: 0 },
      ...fields,
    };
  }

  outcomeEvent(...outcomes: Outcome[]): AgentEvent {
    this.segments += 1;
    return { type: 'outcome', segment: segmentKey(POOL, this.agent, this.boot, this.segments), outcomes };
  }

  reports(...outcomes: Outcome[]): Applied {
    return this.say(this.outcomeEvent(...outcomes));
  }

  succeeds(unit: UnitRow, at = 0): Applied {
    return this.reports(this.outcome(unit, at));
  }

  fails(unit: UnitRow, at = 0, fields: Partial<Outcome> = {}): Applied {
    return this.reports(this.outcome(unit, at, { result: 'failed', ...fields }));
  }
}
