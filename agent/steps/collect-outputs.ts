import type { OutputRule } from '../../shared/job-spec.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import type { OutputFile } from '../../shared/wire/event.ts';
import { messageOf } from '../../shared/errors.ts';
import { type FoundOutput, findOutputs } from './find-outputs.ts';
import { TaskProblem } from './task-problem.ts';
import { uploadOutputs } from './upload-outputs.ts';

export interface Collected {
  outputs: OutputFile[];
  /** Why a task that otherwise succeeded did not. */
  problem: TaskProblem | undefined;
}

export interface CollectOptions {
  rules: readonly OutputRule[];
  /** The command's own end. */
  succeeded: boolean;
  directory: string;
  /** Key prefix of the run's results. */
  prefix: string;
  store: ObjectStore;
  signal: AbortSignal;
}

/**
 * Finds and uploads what the rules ask for after such an end. A required output that is missing makes a success a
 * failure, so then the rules for a failure apply. Rejects only when aborted.
 */
export async function collectOutputs(options: CollectOptions): Promise<Collected> {
  const first = await tryFind(options, options.succeeded);
  if (first.problem === undefined) return upload(options, first.outputs, undefined);
  const second = options.succeeded ? await tryFind(options, false) : { outputs: [] };
  return upload(options, second.outputs, first.problem);
}

async function tryFind(
  { rules, directory }: CollectOptions,
  succeeded: boolean,
): Promise<{ outputs: FoundOutput[]; problem?: TaskProblem }> {
  const now = succeeded ? 'success' : 'failure';
  const asked = rules.filter(({ when }) => when === now || when === 'always');
  // After a failure nothing is required any more: its own reason is the one to tell.
  const effective = succeeded ? asked : asked.map((rule) => ({ ...rule, required: false }));
  try {
    return { outputs: await findOutputs(effective, directory) };
  } catch (error) {
    return {
      outputs: [],
      problem: error instanceof TaskProblem ? error : new TaskProblem('output', messageOf(error), error),
    };
  }
}

async function upload(
  options: CollectOptions,
  found: FoundOutput[],
  problem: TaskProblem | undefined,
): Promise<Collected> {
  const { prefix, store, signal } = options;
  try {
    return { outputs: await uploadOutputs(found, prefix, store, signal), problem };
  } catch (error) {
    signal.throwIfAborted();
    const own =
      error instanceof TaskProblem
        ? error
        : new TaskProblem('internal', `The outputs could not be uploaded: ${messageOf(error)}`, error);
    return { outputs: [], problem: problem ?? own };
  }
}
