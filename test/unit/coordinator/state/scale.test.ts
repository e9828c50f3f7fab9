import assert from 'node:assert/strict';
import { StatementSync } from 'node:sqlite';
import { mock, test } from 'node:test';
import { Rig } from './rig.ts';

/** What the database is asked, and gives, while `work` runs. */
function costOf(work: () => unknown): { statements: number; rows: number } {
  const { prototype } = StatementSync;
  const runs = mock.method(prototype, 'run').mock;
  const gets = mock.method(prototype, 'get').mock;
  const alls = mock.method(prototype, 'all').mock;
  try {
    work();
  } finally {
    mock.restoreAll();
  }
  const lists = alls.calls.reduce((sum, { result }) => sum + (result?.length ?? 0), 0);
  return {
    statements: runs.callCount() + gets.callCount() + alls.callCount(),
    rows: lists + gets.callCount(),
  };
}

const TASKS = 1_000_000;

test('a million tasks are submitted, shown, cancelled and exported at the cost of one', () => {
  const costs = [1, TASKS].map((count) => {
    using rig = new Rig();
    const job = { id: rig.count(count) };
    return [
      costOf(() => (job.id = rig.count(count))),
      costOf(() => rig.state.job(job.id)),
      costOf(() => rig.state.cancel(job.id, null, 'asked', rig.now)),
      costOf(() => rig.export()),
    ];
  });
  assert.ok((costs[0]?.[0]?.statements ?? 0) > 0, 'nothing was counted');
  assert.deepEqual(costs[1], costs[0]);
});

test('a page of tasks costs what it shows, wherever it is', () => {
  using rig = new Rig();
  const job = rig.count(TASKS);
  const pages = [0, TASKS / 2].map((after) => costOf(() => rig.state.tasks(job, { after, limit: 100 })));
  assert.deepEqual(pages[1], pages[0]);
});

test('an outcome costs a few statements, however many come together', () => {
  using rig = new Rig();
  const agent = rig.agent('a');
  const [few, many] = [200, 2_000].map((tasks) => {
    const [unit] = rig.units(rig.count(tasks), [tasks]);
    assert.ok(unit);
    const event = agent.outcomeEvent(...unit.tasks.map((_, at) => agent.outcome(unit, at)));
    const { statements } = costOf(() => (agent.say(event), rig.export()));
    return statements / tasks;
  });
  assert.ok(few !== undefined && many !== undefined && many <= few, `${String(few)} → ${String(many)}`);
  assert.ok(many < 6, `${many} statements a task`);
});
