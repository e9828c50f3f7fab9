import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import type { Context } from './context.ts';

const MAX_TASKS = 10_000_000;

type Surroundings = Pick<Context, 'state' | 'pools'>;

/** What the schema cannot see: relations inside the job, and to jobs and pools that are there. Throws the first problem. */
export function checkSpec(spec: JobSpec, context: Surroundings): void {
  if (spec.tasks.count > MAX_TASKS) {
    throw new ClobiError(
      'LIMIT_EXCEEDED',
      `The job has ${spec.tasks.count} tasks; at most ${MAX_TASKS} are allowed. Split it into several jobs.`,
    );
  }
  if ((spec.command === null) === (spec.script === null))
    invalid(
      'A job has either a command or a script; this one has ' +
        (spec.command === null ? 'neither.' : 'both.'),
    );
  checkRetry(spec);
  for (const dependency of spec.depends) checkDependency(spec, dependency, context);
  // A retry takes the inputs of the job it repeats, whose dependencies have held.
  for (const { job } of spec.retryOf === undefined ? spec.upstreamInputs : []) {
    if (!spec.depends.some((dependency) => dependency.job === job)) {
      invalid(`Inputs come from job ${job}, which is not among the job's dependencies. Add it to depends.`);
    }
  }
  checkPools(spec, context.pools);
}

/** A job of the kind `items` comes with items, and no other does. */
export function checkKind({ tasks: { kind, count } }: JobSpec, hasItems: boolean): void {
  if (hasItems && kind !== 'items')
    invalid(`Items were sent for a job of kind "${kind}"; only kind "items" has them.`);
  if (!hasItems && kind === 'items') invalid(`The job says ${count} items, but 0 were sent.`);
}

function checkRetry(spec: JobSpec): void {
  if (spec.retryOf === undefined) return;
  const { indices } = spec.retryOf;
  const outside = indices.find((index) => index >= spec.tasks.count);
  if (outside !== undefined)
    invalid(`Task ${outside} cannot be retried: the job has ${spec.tasks.count} tasks, counted from 0.`);
  if (indices.length === 0) invalid('A retry must name at least one task.');
  if (new Set(indices).size !== indices.length) invalid('A retry names a task twice.');
}

function checkDependency(
  spec: JobSpec,
  dependency: JobSpec['depends'][number],
  { state }: Pick<Surroundings, 'state'>,
): void {
  const upstream = state.spec(dependency.job as JobId);
  if (upstream === undefined)
    invalid(`The job depends on ${dependency.job}, which does not exist. Submit that job first.`);
  if (dependency.by !== 'tasks') return;
  if (upstream.tasks.count !== spec.tasks.count) {
    invalid(
      `The job has ${spec.tasks.count} tasks and depends index by index on ${dependency.job}, which has ${upstream.tasks.count}. The numbers must be equal.`,
    );
  }
  if (upstream.retryOf !== undefined || spec.retryOf !== undefined) {
    invalid(
      `The job depends index by index on ${dependency.job}, but a retry has only some of the tasks. Depend on the whole job instead.`,
    );
  }
}

function checkPools(spec: JobSpec, pools: Context['pools']): void {
  const { require } = spec.placement;
  const known = new Map([
    ['pool', { asked: require.pools, there: pools.map((pool) => pool.name) }],
    [
      'provider',
      { asked: require.providers, there: [...new Set(pools.map((pool) => pool.config.provider))] },
    ],
  ]);
  for (const [what, { asked, there }] of known) {
    if (asked === undefined || asked.some((name) => there.includes(name))) continue;
    invalid(
      `The job requires ${what} ${asked.join(' or ')}, which is not configured. There is: ${there.join(', ')}.`,
    );
  }
}

function invalid(message: string): never {
  throw new ClobiError('INVALID_JOB', message);
}
