import { resolve } from 'node:path';
import { EXIT } from '../../../shared/errors.ts';
import type { TaskView } from '../../http/api.ts';
import type { Client } from '../client.ts';
import type { Context } from '../context.ts';
import type { DownloadResult } from '../download.ts';
import { exitCodeOfJob, worstExitCode } from '../exit.ts';
import { escapeCell, escapeLines } from '../output/escape.ts';
import type { ListView, Output } from '../output/output.ts';
import type { Progress } from '../output/progress.ts';
import { formatCount, plural } from '../output/text.ts';
import { taskPages } from '../paging.ts';
import { openLog } from '../task-log.ts';
import type { Chain } from './chain.ts';
import { waitPublished } from './published.ts';
import { saveResults } from './results.ts';

export interface FinishOptions {
  context: Context;
  client: Client;
  progress: Progress;
  results: string;
  saveLogs: boolean;
  signal: AbortSignal;
}

const MOST_SHOWN = 10;
/** The end of what a failed task said tells most. */
const TAIL_LINES = 5;

/** Saves the results, says how everything ended and what to do next; the exit code of the whole. */
export async function finishRun(chains: readonly Chain[], options: FinishOptions): Promise<number> {
  const { output } = options.context;
  const failures: DownloadResult['failures'] = [];
  for (const chain of chains)
    failures.push(
      ...(await saveResults(chain, { ...options, directory: options.results, logs: options.saveLogs })),
    );
  failures.push(
    ...(await waitPublished(
      chains.flatMap(({ jobs }) => jobs),
      options,
    )),
  );
  options.signal.throwIfAborted();
  options.progress.stop();
  for (const failure of failures.slice(0, MOST_SHOWN)) output.error(`${failure.path}: ${failure.why}`);
  for (const chain of chains) await sayFailedTasks(chain, options);
  const only = chains[0];
  const isOneTask = chains.length === 1 && only?.view.tasks === 1;
  if (isOneTask && output.format === 'table') await passOn(only, options);
  else
    await output.list(
      chains.map((chain) => summaryOf(chain, options.results)),
      summaryList,
    );
  sayNext(chains, options);
  const code = worstExitCode(chains.map((chain) => exitCodeOfJob(chain.view) ?? EXIT.failed));
  return code === EXIT.ok && failures.length > 0 ? EXIT.failed : code;
}

function sayNext(chains: readonly Chain[], { context, results }: FinishOptions): void {
  const { output } = context;
  output.note(`Results are in ${results}.`);
  if (chains.every((chain) => chain.view.state === 'succeeded')) return;
  output.note(
    'Not everything succeeded. The same command runs again only what did not; --fresh begins anew.',
  );
}

async function sayFailedTasks(chain: Chain, { client, context }: FinishOptions): Promise<void> {
  const bad = chain.view.counts.failed + chain.view.counts.lost;
  let shown = 0;
  for (const state of bad === 0 ? [] : ['failed', 'lost']) {
    for await (const tasks of taskPages(client, chain.view.id, { state }, MOST_SHOWN - shown)) {
      for (const task of tasks) {
        context.output.note(escapeCell(`${chain.name}/${task.index} ${describeFailure(task)}`));
        if (chain.view.tasks > 1) await sayTail(client, task, context.output);
      }
      shown += tasks.length;
    }
  }
  if (bad > shown) context.output.note(`${chain.name}: and ${plural(bad - shown, 'more task')} failed.`);
}

/** `failed: The command ended with exit code 3.`, `lost (silent)`. */
function describeFailure(
  task: Pick<TaskView, 'state' | 'exitCode' | 'signal' | 'reason' | 'message'>,
): string {
  if (task.message !== null) return `${task.state}: ${task.message}`;
  if (task.exitCode !== null && task.exitCode !== 0) return `${task.state} with exit code ${task.exitCode}`;
  if (task.signal !== null) return `${task.state} by ${task.signal}`;
  return task.reason === null ? task.state : `${task.state} (${task.reason})`;
}

async function sayTail(client: Client, task: TaskView, output: Output): Promise<void> {
  const text = await readLog(client, task, 'stderr');
  const lines = text
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');
  for (const line of lines.slice(-TAIL_LINES)) output.note(`    ${escapeCell(line)}`);
}

/** A single command prints here what it printed there. */
async function passOn(chain: Chain, { client, context: { output } }: FinishOptions): Promise<void> {
  const task = { job: chain.view.id, index: await indexOfOnlyTask(client, chain) };
  const shown = (text: Buffer, terminal: boolean | undefined): string | Buffer =>
    terminal === true ? escapeLines(text.toString('utf8')) : text;
  output.streams.stderr.write(shown(await readLog(client, task, 'stderr'), output.streams.stderr.isTTY));
  await output.write(shown(await readLog(client, task, 'stdout'), output.streams.stdout.isTTY));
}

/** Of a retry it need not be 0. */
async function indexOfOnlyTask(client: Client, chain: Chain): Promise<number> {
  for await (const page of taskPages(client, chain.view.id, {}, 1)) return page[0]?.index ?? 0;
  return 0;
}

/** At most the first part: the whole is in the results. */
const LONGEST_SHOWN_BYTES = 1024 * 1024;

async function readLog(
  client: Client,
  task: { job: string; index: number },
  stream: 'stdout' | 'stderr',
): Promise<Buffer> {
  const log = await openLog(client, { job: task.job, index: task.index, stream });
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of log?.bytes ?? []) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes > LONGEST_SHOWN_BYTES) break;
  }
  return Buffer.concat(parts);
}

interface Summary {
  job: string;
  name: string;
  state: string;
  tasks: number;
  succeeded: number;
  failed: number;
  results: string;
}

const summaryOf = (chain: Chain, results: string): Summary => ({
  job: chain.view.id,
  name: chain.name,
  state: chain.view.state,
  tasks: chain.view.tasks,
  succeeded: chain.view.counts.succeeded,
  failed: chain.view.counts.failed + chain.view.counts.lost,
  results: resolve(results, chain.name),
});

const summaryList: ListView<Summary> = {
  name: (summary) => summary.job,
  columns: [
    { title: 'JOB', text: (summary) => summary.job },
    { title: 'NAME', text: (summary) => summary.name },
    {
      title: 'STATE',
      text: (summary) => summary.state,
      colour: (summary, colours) => (summary.state === 'succeeded' ? colours.green : colours.red),
    },
    { title: 'TASKS', text: (summary) => formatCount(summary.tasks), align: 'right' },
    { title: 'SUCCEEDED', text: (summary) => formatCount(summary.succeeded), align: 'right' },
    { title: 'FAILED', text: (summary) => formatCount(summary.failed), align: 'right' },
    { title: 'RESULTS', text: (summary) => summary.results, wide: true },
  ],
};
