import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { makeDirectories } from '../../../shared/make-directories.ts';
import { isTerminal } from '../../../shared/task-state.ts';
import { formatBytes } from '../../../shared/units-of-measure.ts';
import type { OutputView, TaskView } from '../../http/api.ts';
import type { Client } from '../client.ts';
import { type DownloadResult, downloadOutputs } from '../download.ts';
import type { LogStream } from '../log-lines.ts';
import type { Progress } from '../output/progress.ts';
import { plural } from '../output/text.ts';
import { outputPages, taskPages } from '../paging.ts';
import { makeParents, placeInside, removeInside } from '../../../shared/safe-path.ts';
import { openLog } from '../task-log.ts';
import { type Chain, findSuperseded } from './chain.ts';

export interface ResultsOptions {
  client: Client;
  directory: string;
  logs: boolean;
  progress: Progress;
  signal: AbortSignal;
}

const PARALLEL = 8;
const LONGEST_QUEUE = 1000;
/** Names the job whose results the directory holds. */
const MARKER = '.clobi-job';
const STREAMS: readonly LogStream[] = ['stdout', 'stderr'];

/** Puts outputs at DIR/JOB NAME/INDEX/PATH and what the tasks printed beside them. Files that are right already stay. */
export async function saveResults(
  chain: Chain,
  options: ResultsOptions,
): Promise<DownloadResult['failures']> {
  const superseded = await findSuperseded(options.client, chain);
  const directory = join(options.directory, chain.name);
  await claimDirectory(directory, chain.jobs[0] ?? chain.view.id);
  const failures: DownloadResult['failures'] = [];
  for (const [i, job] of chain.jobs.entries()) {
    const skip = superseded[i] ?? new Set<number>();
    const taken = new Set<string>();
    const pages = onlyOwn(outputPages(options.client, job), skip, taken);
    const result = await downloadOutputs(pages, {
      client: options.client,
      directory,
      parallel: PARALLEL,
      signal: options.signal,
      onProgress: (so) =>
        options.progress.update([
          `${chain.name}: saving results, ${plural(so.fetched + so.kept, 'file')}, ${formatBytes(so.bytes)}`,
        ]),
    });
    failures.push(...result.failures);
    if (options.logs) await saveLogs(job, { ...options, directory, skip, taken });
  }
  return failures;
}

/** Results of another job go first: what this one does not write again would pass for its own. */
async function claimDirectory(directory: string, job: string): Promise<void> {
  const marker = join(directory, MARKER);
  makeDirectories(directory);
  const owner = await readFile(marker, 'utf8').catch(() => job);
  if (owner.trim() !== job)
    for (const entry of await readdir(directory, { withFileTypes: true }))
      if (entry.isDirectory() && /^\d+$/.test(entry.name))
        await rm(join(directory, entry.name), { recursive: true, force: true });
  await writeFile(marker, `${job}\n`);
}

async function* onlyOwn(
  pages: AsyncIterable<OutputView[]>,
  skip: ReadonlySet<number>,
  taken: Set<string>,
): AsyncGenerator<OutputView[]> {
  for await (const page of pages) {
    const own = page.filter((output) => !skip.has(output.index));
    for (const { index, path } of own) taken.add(`${index}/${path}`);
    yield own;
  }
}

interface LogsOptions extends ResultsOptions {
  skip: ReadonlySet<number>;
  /** Places of outputs: a log never takes the place of one. */
  taken: ReadonlySet<string>;
}

async function saveLogs(job: string, options: LogsOptions): Promise<void> {
  const queue = new PQueue({ concurrency: PARALLEL });
  const failures: unknown[] = [];
  let done = 0;
  for await (const page of taskPages(options.client, job)) {
    for (const task of page.filter(
      ({ index, state, startedAt }) => isTerminal(state) && startedAt !== null && !options.skip.has(index),
    )) {
      options.signal.throwIfAborted();
      await queue.onSizeLessThan(LONGEST_QUEUE);
      const save = queue.add(async () => {
        for (const stream of STREAMS) await saveLog({ job, task, stream }, options);
        done += 1;
        options.progress.update([`Saving what the tasks printed: ${plural(done, 'task')}`]);
      });
      save.catch((error: unknown) => failures.push(error));
    }
  }
  await queue.onIdle();
  if (failures.length > 0) throw failures[0];
}

async function saveLog(
  at: { job: string; task: TaskView; stream: LogStream },
  options: LogsOptions,
): Promise<void> {
  const place = `${at.task.index}/${at.stream}.log`;
  if (options.taken.has(place)) return;
  const log = await openLog(
    options.client,
    { job: at.job, index: at.task.index, stream: at.stream },
    0,
    options.signal,
  );
  const chunks = log?.bytes[Symbol.asyncIterator]();
  const first = (await chunks?.next()) as IteratorResult<Uint8Array, undefined> | undefined;
  const file = placeInside(options.directory, place);
  if (chunks === undefined || first?.value === undefined) {
    // An earlier, failed run of this very task may have left one; it is no output, see above.
    await removeInside(options.directory, file);
    return;
  }
  await makeParents(options.directory, file);
  const part = `${file}.clobi-part`;
  await writeFile(part, prepend(first.value, chunks));
  await rename(part, file);
}

/** The first chunk has been taken to see whether there is anything at all. */
async function* prepend(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
