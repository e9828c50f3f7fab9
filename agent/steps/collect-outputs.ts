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
  /** After a failure: what was asked for and could not be kept, a sentence each. */
  refused: readonly string[];
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
  if (!options.succeeded)
    return { ...(await upload(options, first.outputs, first.problem)), refused: first.refused };
  if (first.problem === undefined)
    return { ...(await upload(options, first.outputs, undefined)), refused: [] };
  const second = await tryFind(options, false);
  const refused = second.refused.filter((text) => text !== first.problem?.message);
  return { ...(await upload(options, second.outputs, first.problem)), refused };
}

async function tryFind(
  { rules, directory }: CollectOptions,
  succeeded: boolean,
): Promise<{ outputs: FoundOutput[]; problem?: TaskProblem; refused: string[] }> {
  const now = succeeded ? 'success' : 'failure';
  const asked = rules.filter(({ when }) => when === now || when === 'always');
  // After a failure nothing is required any more: its own reason is the one to tell.
  const effective = succeeded ? asked : asked.map((rule) => ({ ...rule, required: false }));
  const refused: string[] = [];
  const onRefused = (problem: TaskProblem): void => {
    if (succeeded) throw problem;
    refused.push(problem.message);
  };
  try {
    return { outputs: await findOutputs(effective, directory, onRefused), refused };
  } catch (error) {
    if (!succeeded) refused.push(messageOf(error));
    return {
      outputs: [],
      refused,
      problem: error instanceof TaskProblem ? error : new TaskProblem('output', messageOf(error), error),
    };
  }
}

async function upload(
  options: CollectOptions,
  found: FoundOutput[],
  problem: TaskProblem | undefined,
): Promise<Omit<Collected, 'refused'>> {
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
