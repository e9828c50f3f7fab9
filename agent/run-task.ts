import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../shared/clock.ts';
import { messageOf } from '../shared/errors.ts';
import { faultPoint } from '../shared/fault.ts';
import type { RenderedTask } from '../shared/job-file/interpolate.ts';
import type { ObjectStore } from '../shared/providers/ports.ts';
import type { LogRef, Outcome, OutputFile } from '../shared/wire/event.ts';
import { logKey, resultPrefix } from '../shared/wire/keys.ts';
import type { Launched, Launcher } from './process/launcher.ts';
import type { TextFile } from './process/text-file.ts';
import type { WorkDirectory } from './process/work-directory.ts';
import { collectOutputs } from './steps/collect-outputs.ts';
import { taskEnvironment } from './steps/environment.ts';
import type { InputCache } from './steps/input-cache.ts';
import { isReallyInside, staysInside } from './steps/inside.ts';
import { hasSucceeded, judge, type StopReason } from './steps/judge.ts';
import { fetchParams, renderForTask } from './steps/render.ts';
import { withRetries } from './steps/retry.ts';
import { stageInputs } from './steps/stage-inputs.ts';
import { TaskProblem } from './steps/task-problem.ts';
import type { AgentIdentity, TaskToRun } from './types.ts';

/** What a slot has for its tasks. */
export interface Place {
  identity: AgentIdentity;
  store: ObjectStore;
  cache: InputCache;
  clock: Clock;
  launcher: Launcher;
  workDirectory: WorkDirectory;
  script: TextFile;
  stdin: TextFile;
}

/** Whether and why a task is to end. Its signal aborts only on a cancel: after a timeout its output is still uploaded. */
export interface StopState {
  reason: StopReason | undefined;
  readonly cancelled: AbortSignal;
  /** To be called when a limit is passed while the command runs. */
  onLimit: (limit: 'timeout' | 'oom') => void;
}

/** What is known of a run so far. */
interface Facts {
  launched: Launched | undefined;
  problem: TaskProblem | undefined;
  outputs: OutputFile[];
  refused: readonly string[];
  stdout: LogRef;
  stderr: LogRef;
}

const NOTHING: LogRef = { bytes: 0, inline: '' };

/** Stages, runs and judges one task; everything it leaves is uploaded when this resolves (R4). Never rejects. */
export async function runTask(place: Place, task: TaskToRun, stop: StopState): Promise<Outcome> {
  const startedAt = place.clock.now();
  const facts: Facts = {
    launched: undefined,
    problem: undefined,
    outputs: [],
    refused: [],
    stdout: NOTHING,
    stderr: NOTHING,
  };
  try {
    await perform(place, task, stop, facts);
  } catch (error) {
    facts.problem = asProblem(error);
  }
  try {
    await place.workDirectory.clear();
  } catch (error) {
    facts.problem ??= asProblem(error);
  }
  return outcomeOf(place, task, stop, { ...facts, startedAt });
}

const asProblem = (error: unknown): TaskProblem =>
  error instanceof TaskProblem ? error : new TaskProblem('internal', messageOf(error), error);

async function perform(place: Place, task: TaskToRun, stop: StopState, facts: Facts): Promise<void> {
  const { spec, task: own } = task;
  const { launcher, workDirectory, store, cache } = place;
  const { cancelled } = stop;
  const params =
    own.params ?? (own.paramsAt === undefined ? {} : await fetchParams(store, own.paramsAt, cancelled));
  const rendered = renderForTask(task, params);
  const directoryNumber = workDirectory.prepare({ outputs: rendered.outputs.length > 0 });
  const inputs = params.inputs === undefined ? spec.inputs : [...spec.inputs, ...params.inputs];
  if (inputs.length > 0) await stageInputs(inputs, workDirectory.path, cache, cancelled);
  const command = {
    argv: rendered.command ?? [...spec.shell, place.script.write(rendered.script ?? '')],
    env: taskEnvironment(task, rendered.env, workDirectory.path),
    directory: workDirectory.path,
    stdin: rendered.stdin === null ? '/dev/null' : await stdinFile(place, rendered.stdin),
  };
  const at = { job: task.unit.job, index: own.index, run: task.run };
  const { memoryBytes } = spec.resources;
  facts.launched = await launcher.launch({
    command,
    directoryNumber,
    memoryBytes,
    runMs: spec.timeout.runMs,
    // Nobody waits two minutes for the log of a cancelled task.
    putChunk: (stream, number, body) => {
      const put = (): Promise<unknown> => store.put(logKey(at, stream, number), body);
      return cancelled.aborted ? put() : withRetries(put, { signal: cancelled, isResult: true });
    },
    cancelled,
    onLimit: stop.onLimit,
  });
  await finishLogs(launcher, facts);
  if (rendered.outputs.length > 0 && !cancelled.aborted)
    await collect(place, task, { rendered, stop, facts });
  faultPoint('task.after-outputs');
}

async function stdinFile(place: Place, stdin: { text: string } | { path: string }): Promise<string> {
  if ('text' in stdin) return place.stdin.write(stdin.text);
  const directory = place.workDirectory.path;
  const refuse = (why: string, cause?: unknown): never => {
    throw new TaskProblem('input', `The standard input "${stdin.path}" ${why}`, cause);
  };
  if (!staysInside(stdin.path)) return refuse('is outside of the work directory.');
  const file = join(directory, stdin.path);
  const found = await stat(file).catch((error: unknown) => refuse('is not among the inputs.', error));
  if (!found.isFile()) return refuse('is no file.');
  if (!(await isReallyInside(directory, file)))
    return refuse('is a link that leads out of the work directory.');
  return realpath(file);
}

async function finishLogs(launcher: Launcher, facts: Facts): Promise<void> {
  const captures = launcher.takeCaptures();
  if (captures === undefined) return;
  const [stdout, stderr] = await Promise.allSettled([captures.stdout.finish(), captures.stderr.finish()]);
  if (stdout.status === 'fulfilled') facts.stdout = stdout.value;
  if (stderr.status === 'fulfilled') facts.stderr = stderr.value;
  for (const result of [stdout, stderr])
    if (result.status === 'rejected')
      facts.problem = new TaskProblem(
        'internal',
        `The output could not be uploaded: ${messageOf(result.reason)}`,
        result.reason,
      );
}

async function collect(
  place: Place,
  { unit, task, run }: TaskToRun,
  { rendered, stop, facts }: { rendered: RenderedTask; stop: StopState; facts: Facts },
): Promise<void> {
  const { outputs, problem, refused } = await collectOutputs({
    rules: rendered.outputs,
    succeeded:
      facts.problem === undefined && hasSucceeded({ exit: facts.launched?.exit, stopped: stop.reason }),
    directory: place.workDirectory.path,
    prefix: resultPrefix(unit.job, task.index, run),
    store: place.store,
    signal: stop.cancelled,
  });
  facts.outputs = outputs;
  facts.refused = refused;
  facts.problem ??= problem;
}

function outcomeOf(
  place: Place,
  task: TaskToRun,
  stop: StopState,
  facts: Facts & { startedAt: number },
): Outcome {
  const { unit, spec, run } = task;
  const { launched } = facts;
  const judgement = judge({
    exit: launched?.exit,
    stopped: stop.reason,
    wasOutOfMemory: launched?.wasOutOfMemory ?? false,
    problem: facts.problem,
    refused: facts.refused,
    limits: { runMs: spec.timeout.runMs, memoryBytes: spec.resources.memoryBytes },
  });
  return {
    job: unit.job,
    index: task.task.index,
    attempt: task.task.attempt,
    run,
    unit: unit.unit,
    agent: place.identity.agent,
    boot: place.identity.boot,
    ...judgement,
    startedAt: facts.startedAt,
    endedAt: Math.max(facts.startedAt, place.clock.now()),
    cpuMs: launched?.cpuMs ?? null,
    maxRssBytes: launched?.maxRssBytes ?? null,
    outputs: facts.outputs,
    stdout: facts.stdout,
    stderr: facts.stderr,
  };
}
