import { createHash } from 'node:crypto';
import { Collector } from '../../../../coordinator/services/collector.ts';
import type { Context } from '../../../../coordinator/services/context.ts';
import { Exporter } from '../../../../coordinator/services/exporter.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import type { JobId, RunId } from '../../../../shared/ids.ts';
import type { JobSpec } from '../../../../shared/job-spec.ts';
import type { Outcome } from '../../../../shared/wire/event.ts';
import { segmentKey } from '../../../../shared/wire/keys.ts';
import { FakeAgent } from './rig.ts';

const DAY_MS = 24 * 3600 * 1000;

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Submits the job and has each of its tasks succeed in the pool, with `<index> of <pool>` in each output named, as an agent there would. */
export async function runIn(
  context: Context,
  pool: string,
  spec: JobSpec,
  outputs: readonly string[] = ['out'],
): Promise<JobId> {
  const { job } = await new Submitter(context).submit({ spec });
  await finishIn(context, pool, job, outputs);
  return job;
}

async function finishIn(
  context: Context,
  pool: string,
  job: JobId,
  outputs: readonly string[] = ['out'],
): Promise<void> {
  const { state, clock } = context;
  const at = context.pools.find(({ name }) => name === pool)!;
  const size = state.job(job)!.tasks;
  const [unit] = state.createUnits({
    job,
    pool,
    sizes: [size],
    now: clock.now(),
    notAfter: clock.now() + DAY_MS,
  });
  state.markSent([unit!.unit], clock.now());
  const agent = new FakeAgent('a', `boot-${job}`, pool);
  const outcomes: Outcome[] = [];
  for (const { index, attempt } of unit!.tasks) {
    const run = `${state.epoch()}.${attempt}-run` as RunId;
    const content = `${index} of ${pool}`;
    const named = outputs.map((path) => ({
      path,
      key: `results/${job}/${index}/${run}/${path}`,
      sizeBytes: content.length,
      sha256: sha256(content),
    }));
    for (const { key } of named) await at.store.put(key, content);
    await at.store.put(`logs/${job}/${index}/${run}/stdout.0000000000`, `printed in ${pool}`);
    const body = {
      unit: unit!.unit,
      job,
      tasks: [{ index, attempt: `${state.epoch()}.${attempt}` }],
    } as never;
    const stdout = { bytes: 20, chunks: 1 };
    outcomes.push(agent.outcome(body, index, { run, outputs: named, stdout }));
  }
  const segment = segmentKey(pool, agent.agent, agent.boot, 1);
  await at.store.put(segment, outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join(''));
  await new Collector(context, at).apply([
    agent.hello(),
    agent.batch({ type: 'outcome', segment, outcomes: null }),
  ]);
  while (await new Exporter(context).runOnce());
}
