import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { UnitRow } from '../../../../coordinator/state/store.ts';
import type { JobId } from '../../../../shared/ids.ts';
import { isTerminal } from '../../../../shared/task-state.ts';
import type { EventBatch, Outcome } from '../../../../shared/wire/event.ts';
import { assertCounters } from './recount.ts';
import { type Hand, retryOf, Rig } from './rig.ts';

const LIMIT = 1;
const LOST = 2;
const TASKS = 6;

/** A world of two agents that do anything at any time, and everything that was ever said in it. */
class World {
  readonly rig = new Rig();
  readonly jobs: JobId[];
  readonly units: UnitRow[] = [];
  readonly outcomes: Outcome[] = [];
  readonly said: EventBatch[] = [];
  readonly finals = new Map<string, string>();
  boots = 2;
  hands: Hand[] = [this.rig.agent('a', 'boot-00001'), this.rig.agent('b', 'boot-00002')];

  constructor() {
    const up = this.rig.count(TASKS, { retry: retryOf(LIMIT, LOST) });
    const once = this.rig.count(TASKS, { retry: retryOf(0, 0), failFast: { count: 3 } });
    const down = this.rig.count(TASKS, {
      retry: retryOf(LIMIT, LOST),
      depends: [{ job: up, after: 'success', by: 'tasks' }],
    });
    this.jobs = [up, once, down];
  }

  say(batch: EventBatch): void {
    this.said.push(batch);
    this.rig.state.apply([batch], this.rig.now);
  }

  /** Verdicts are exported once each, and never change. */
  export(limit = 4): void {
    for (const { job, index, to, state, run } of this.rig.export(limit)) {
      for (let at = index; at <= (to ?? index); at += 1) {
        assert.equal(this.finals.has(`${job}/${at}`), false, `I2: task ${at} has a second verdict`);
        this.finals.set(`${job}/${at}`, `${state} by ${run ?? 'none'}`);
      }
    }
  }
}

type Step = (world: World, pick: <T>(of: readonly T[]) => T | undefined) => void;

const STEPS: Record<string, Step> = {
  dispatch: ({ rig, jobs, units }, pick) => {
    const job = pick(jobs);
    units.push(...rig.units(job!, [pick([1, 2, 4])!, 1], { send: pick([true, true, false])! }));
  },
  begin: (world, pick) => {
    const [hand, unit] = [pick(world.hands), pick(world.units)];
    if (unit === undefined) return;
    const outcomes = unit.tasks.map((_, at) => hand!.outcome(unit, at));
    const tasks = outcomes.map(({ index, attempt, run }) => ({ index, attempt, run, at: world.rig.now }));
    world.say(hand!.batch([{ type: 'started', unit: unit.unit, tasks }]));
  },
  outcome: (world, pick) => {
    const [hand, unit] = [pick(world.hands), pick(world.units)];
    if (unit === undefined) return;
    const result = pick(['succeeded', 'failed', 'failed', 'cancelled'] as const)!;
    const outcome = hand!.outcome(unit, pick(unit.tasks.map((_, at) => at)), { result });
    world.outcomes.push(outcome);
    world.say(hand!.batch([hand!.outcomeEvent(outcome)]));
  },
  segment: ({ rig, outcomes }, pick) => {
    const outcome = pick(outcomes);
    if (outcome !== undefined) rig.commit([outcome]);
  },
  again: ({ rig, said }, pick) => {
    const batch = pick(said);
    if (batch !== undefined) rig.state.apply([batch], rig.now);
  },
  heartbeat: (world, pick) => {
    const hand = pick(world.hands)!;
    world.say(
      hand.batch([
        hand.heartbeatEvent(...[pick(world.units), pick(world.units)].filter((unit) => unit !== undefined)),
      ]),
    );
  },
  late: (world, pick) => {
    const hand = pick(world.hands)!;
    const unit = pick(world.units);
    if (unit !== undefined && hand.seq > 1) world.say(hand.batch([hand.heartbeatEvent(unit)], pick([0, 1])));
  },
  reboot: (world, pick) => {
    world.boots += 1;
    const at = pick([0, 1])!;
    world.hands[at] = world.rig.agent(['a', 'b'][at]!, `boot-${String(world.boots).padStart(5, '0')}`);
    world.say(world.hands[at].batch([{ type: 'draining' }]));
  },
  goodbye: (world, pick) => world.say(pick(world.hands)!.batch([{ type: 'goodbye' }])),
  returned: (world, pick) => {
    const [hand, unit] = [pick(world.hands)!, pick(world.units)];
    if (unit === undefined) return;
    const notBegun = unit.tasks.map(({ index }) => index).slice(pick([0, 1]));
    world.say(
      hand.batch([
        {
          type: 'returned',
          unit: unit.unit,
          receiveCount: pick([1, 2])!,
          why: pick(['draining', 'redelivered', 'recent'])!,
          notBegun,
        },
      ]),
    );
  },
  silence: ({ rig }) => void ((rig.now += 700), rig.silence(1_000)),
  rescue: ({ rig }) => void rig.rescue(),
  patience: ({ rig }) => void rig.rescue(rig.now),
  dark: ({ rig, units }, pick) => {
    const unit = pick(units);
    if (unit !== undefined) rig.state.voidUnits([{ unit: unit.unit, why: 'dark' }], rig.now);
  },
  backoff: ({ rig }) => void ((rig.now += 60), rig.state.endBackoffs(rig.now)),
  cancelSome: ({ rig, jobs }, pick) =>
    void rig.state.cancel(pick(jobs)!, [pick([0, 3, 5])!, 5], 'asked', rig.now),
  cancelAll: ({ rig, jobs }, pick) => void rig.state.cancel(pick(jobs)!, null, 'asked', rig.now),
  export: (world) => world.export(),
  crash: ({ rig }) => rig.crash(),
};
/** Cancelling is rare, or nothing else would be seen. */
const NAMES = Object.keys(STEPS).filter((name) => name !== 'cancelAll');
const step = fc.record({
  name: fc.oneof(
    { weight: 60, arbitrary: fc.constantFrom(...NAMES, 'dispatch', 'dispatch', 'outcome', 'outcome') },
    { weight: 1, arbitrary: fc.constant('cancelAll') },
  ),
  picks: fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
});

function take(world: World, { name, picks }: { name: string; picks: readonly number[] }): void {
  let next = 0;
  const pick = <T>(of: readonly T[]): T | undefined =>
    of.length === 0 ? undefined : of[picks[next++ % picks.length]! % of.length];
  STEPS[name]?.(world, pick);
}

/** Everything heals: agents fall silent, patience ends, a fresh agent runs what is dispatched. Then all must be over (I1). */
function settle(world: World): void {
  const { rig, jobs } = world;
  for (let round = 0; round < 30; round += 1) {
    rig.now += 10_000;
    rig.state.endBackoffs(rig.now);
    rig.silence();
    rig.state.markSent(
      rig.state.unsentUnits('local', 100).map(({ unit }) => unit),
      rig.now - 5,
    );
    rig.rescue(rig.now);
    const fresh = rig.agent('c', `boot-c-${String(round).padStart(3, '0')}`);
    for (const unit of jobs.flatMap((job) => rig.units(job, [TASKS])))
      fresh.reports(...unit.tasks.map((_, at) => fresh.outcome(unit, at)));
    world.export();
    if (jobs.every((job) => rig.state.job(job)?.endedAt !== null)) return;
  }
  assert.fail(`I1: not over: ${JSON.stringify(jobs.map((job) => rig.state.job(job)?.counts))}`);
}

function assertBounds({ rig, jobs, finals }: World): void {
  for (const [at, job] of jobs.entries()) {
    const [limit, lost] = at === 1 ? [0, 0] : [LIMIT, LOST];
    for (const task of rig.state.tasks(job, { limit: 100 }).tasks) {
      assert.ok(task.failures <= limit + 1 && task.losses <= lost + 1, `I5: ${JSON.stringify(task)}`);
      const final = finals.get(task.id);
      if (final !== undefined)
        assert.equal(`${task.state} by ${task.run ?? 'none'}`, final, 'I2: what was exported stays');
      else assert.equal(isTerminal(task.state), false, 'R11: nothing is shown as over before');
    }
  }
}

test('whatever happens: counters are right, I2 and I5 hold, and everything can still end (I1)', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const world = new World();
      using _rig = world.rig;
      for (const each of steps) take(world, each);
      assertCounters(world.rig);
      assertBounds(world);
      settle(world);
      assertCounters(world.rig);
      assertBounds(world);
    }),
    { numRuns: Number(process.env['CLOBI_RUNS'] ?? 40) },
  );
});
