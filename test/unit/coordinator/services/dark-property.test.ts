import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import type { Pool } from '../../../../coordinator/services/context.ts';
import { Darkness } from '../../../../coordinator/services/darkness.ts';
import { isDark, Prober } from '../../../../coordinator/services/health.ts';
import { ClobiError } from '../../../../shared/errors.ts';
import type { JobId } from '../../../../shared/ids.ts';
import { Guard } from '../../../../shared/providers/guard/guard.ts';
import { guardQueue } from '../../../../shared/providers/guard/queue.ts';
import { MemoryQueue } from '../../../../shared/providers/memory/queue.ts';
import type { Delivery, Queue } from '../../../../shared/providers/ports.ts';
import { isTerminal } from '../../../../shared/task-state.ts';
import type { UnitBody } from '../../../../shared/wire/unit.ts';
import { handsOn, never } from './hands.ts';
import { bodyOf, FakeAgent, makeRig, type Rig, specOf } from './rig.ts';

const LOST = 3;
const TASKS = 4;
const HOLD_DOWN_MS = 60_000;
type Fault = 'none' | 'down' | 'refused' | 'answer-lost';

/** A queue whose operations fail as the test says. */
class FaultyQueue {
  readonly memory: MemoryQueue;
  fault: Fault = 'none';
  /** A right is missing: to send, and nothing else. */
  refusesSends = false;
  constructor(rig: Rig) {
    this.memory = new MemoryQueue({ now: () => rig.clock.ms });
  }
  get port(): Queue {
    const { memory } = this;
    return {
      capabilities: memory.capabilities,
      send: (bodies) => this.#call(() => memory.send(bodies), this.refusesSends),
      receive: (options) => this.#call(() => memory.receive({ ...options, waitMs: 0 })),
      depth: () => this.#call(() => memory.depth()),
      ensure: () => memory.ensure(),
      close: () => memory.close(),
    };
  }
  async #call<T>(work: () => Promise<T>, refused = false): Promise<T> {
    if (this.fault === 'answer-lost') await work();
    if (refused || this.fault === 'refused') throw new ClobiError('CLOUD_AUTH', 'refused');
    if (this.fault !== 'none') throw new ClobiError('UNAVAILABLE', this.fault);
    return work();
  }
}

/** What an agent holds: a unit, its message, and the tasks it has begun. */
interface Held {
  unit: UnitBody;
  delivery: Delivery;
}

/** One pool with its agent, whose own way to the queues is never cut: it goes on while we cannot reach it. */
class Side {
  readonly units: FaultyQueue;
  readonly events: FaultyQueue;
  readonly pool: Pool;
  readonly hands: ReturnType<typeof handsOn>;
  readonly prober: Prober;
  readonly darkness: Darkness;
  readonly agent: FakeAgent;
  held: Held[] = [];

  constructor(world: World, base: Pool) {
    const { rig } = world;
    this.units = new FaultyQueue(rig);
    this.events = new FaultyQueue(rig);
    const guard = new Guard({
      name: base.name,
      log: rig.context.log,
      needed: ['units.send', 'units.depth', 'events.receive'],
      breaker: { random: () => 0 },
      retries: 0,
    });
    this.pool = {
      ...base,
      guard,
      storeGuard: guard,
      units: guardQueue(this.units.port, guard, 'units'),
      events: guardQueue(this.events.port, guard, 'events'),
    };
    world.pools.push(this.pool);
    this.hands = handsOn(rig, this.pool);
    this.prober = new Prober(rig.context, this.pool);
    this.darkness = new Darkness(rig.context, this.pool);
    this.agent = new FakeAgent(base.name, `${base.name}-boot`, base.name);
  }
}

class World {
  readonly rig: Rig;
  readonly pools: Pool[] = [];
  readonly sides: Side[];
  readonly begun = new Map<string, number>();
  jobs: JobId[] = [];

  constructor(rig: Rig) {
    this.rig = rig;
    const [first, second] = rig.context.pools;
    rig.context.pools = this.pools;
    this.sides = [new Side(this, first!), new Side(this, second!)];
  }

  async submit(): Promise<void> {
    const { hands } = this.sides[0]!;
    const tasks = { kind: 'count' as const, count: TASKS };
    const backoff = { initialMs: 1, factor: 1, maxMs: 1 };
    this.jobs = [
      await hands.submit(specOf({ tasks, retry: { limit: 0, lost: LOST, backoff } })),
      await hands.submit(specOf({ tasks, retry: { limit: 0, lost: 0, backoff } })),
    ];
  }

  pass(ms: number): void {
    this.rig.clock.ms += ms;
    mock.timers.setTime(Date.now() + ms);
  }
}

const quietly = (work: Promise<unknown>): Promise<unknown> => work.catch(() => undefined);

/** R3: at count 1, and where it is not revoked, the agent begins all of the unit. */
async function take(world: World, side: Side): Promise<void> {
  const { memory } = side.units;
  for (const delivery of await memory.receive({ max: 2, waitMs: 0, leaseMs: 10 * 3600_000 })) {
    const unit = bodyOf(delivery.body);
    const revoked = world.rig.context.state.revokes(side.pool.name, world.rig.clock.ms);
    if (revoked.some((entry) => entry.unit === unit.unit && entry.tasks === null)) {
      await side.events.memory.send([
        JSON.stringify(
          side.agent.batch({
            type: 'returned',
            unit: unit.unit,
            receiveCount: delivery.receiveCount,
            why: 'revoked',
            notBegun: unit.tasks.map(({ index }) => index),
          }),
        ),
      ]);
      await delivery.done();
      continue;
    }
    for (const { index } of unit.tasks) {
      const task = `${unit.job}/${String(index)}`;
      world.begun.set(task, (world.begun.get(task) ?? 0) + 1);
    }
    side.held.push({ unit, delivery });
    await side.events.memory.send([
      JSON.stringify(side.agent.heartbeat(side.held.map((one) => one.unit.unit))),
    ]);
  }
}

/** R4: the outcomes, then the delete. */
async function finish(side: Side): Promise<void> {
  const [first] = side.held.splice(0, 1);
  if (first === undefined) return;
  const outcomes = first.unit.tasks.map(({ index }) => side.agent.outcome(first.unit, index));
  const said = side.agent.batch({ type: 'outcome', segment: 's', outcomes });
  await side.events.memory.send([JSON.stringify(said)]);
  await first.delivery.done();
}

type Step = (world: World, side: Side) => unknown;
const STEPS: Record<string, Step> = {
  dispatch: (_, side) => side.hands.dispatcher.runOnce(),
  send: (_, side) => quietly(side.hands.sender.runOnce()),
  collect: (_, side) => quietly(side.hands.collector.runOnce(never)),
  take,
  finish: (_, side) => finish(side),
  probe: (_, side) => side.prober.runOnce(),
  darken: (_, side) => side.darkness.runOnce(),
  export: (_, side) => side.hands.exporter.runOnce(),
  wait: (world) => world.pass(2_000),
  waitLong: (world) => world.pass(HOLD_DOWN_MS),
  cutEvents: (_, side) => (side.events.fault = 'down'),
  cutAll: (_, side) => (side.events.fault = side.units.fault = 'down'),
  refuse: (_, side) => (side.units.fault = 'refused'),
  refuseSends: (_, side) => (side.units.refusesSends = true),
  loseAnswers: (_, side) => (side.units.fault = 'answer-lost'),
  mend: (_, side) => mend(side),
  /** The coordinator is busy with a pool that fails: what its loops do in a few seconds. */
  suffer: async (_, side) => {
    for (let time = 0; time < 5; time += 1) {
      await quietly(side.hands.collector.runOnce(never));
      await quietly(side.hands.sender.runOnce());
    }
  },
};

function mend({ units, events }: Side): void {
  units.fault = events.fault = 'none';
  units.refusesSends = false;
}

async function settle(world: World): Promise<void> {
  for (const side of world.sides) mend(side);
  for (
    let round = 0;
    round < 60 && !(isOver(world) && world.pools.every((pool) => !isDark(pool)));
    round += 1
  ) {
    world.pass(20_000);
    for (const side of world.sides) {
      await side.prober.runOnce();
      for (const name of ['dispatch', 'send', 'take', 'finish', 'finish', 'collect', 'collect', 'export'])
        await STEPS[name]!(world, side);
    }
  }
}

const isOver = ({ rig, jobs }: World): boolean =>
  jobs.every((job) =>
    rig.context.state.tasks(job, { limit: TASKS }).tasks.every(({ state }) => isTerminal(state)),
  );

function assertRight(world: World): void {
  const { state } = world.rig.context;
  const [many, once] = world.jobs;
  for (const pool of world.pools) assert.equal(isDark(pool), false, `${pool.name} has come back`);
  for (const job of world.jobs) {
    for (let index = 0; index < TASKS; index += 1) {
      const task = state.task(job, index)!;
      const lost = (task.attempts ?? []).filter(({ result }) => result === 'lost').length;
      assert.equal(task.losses, lost, 'each lost attempt is counted once');
      assert.ok(task.losses <= (job === many ? LOST + 1 : 1), 'I5');
      assert.ok(isTerminal(task.state), `I1: task ${String(index)} is ${task.state}`);
      if (job !== once) continue;
      assert.ok(
        (world.begun.get(`${job}/${String(index)}`) ?? 0) <= 1,
        'with retry.lost 0 nothing begins twice',
      );
      assert.equal(task.losses, 0, 'nothing is taken for lost while its pool may come back');
    }
  }
}

/** Agents never die here: so nothing may be lost but by the hold-down, and all ends well. */
test('whatever goes dark when: all tasks end, retry.lost 0 begins once, every loss is counted', async () => {
  const script = fc.array(fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.constantFrom(0, 1)), {
    minLength: 20,
    maxLength: 80,
  });
  await fc.assert(
    fc.asyncProperty(script, async (steps) => {
      await using rig = await makeRig({ holdDown: HOLD_DOWN_MS, patience: 'off' }, { clouds: ['cloud'] });
      mock.timers.enable({ apis: ['Date'], now: rig.clock.ms });
      try {
        const world = new World(rig);
        for (const side of world.sides) {
          await side.events.memory.send([JSON.stringify(side.agent.hello(2))]);
          await side.hands.collector.runOnce(never);
        }
        await world.submit();
        for (const [name, at] of steps) await STEPS[name]!(world, world.sides[at]!);
        await settle(world);
        assertRight(world);
      } finally {
        mock.timers.reset();
      }
    }),
    { numRuns: 25 },
  );
});
