import { resolve } from 'node:path';
import { EXIT } from '../../../shared/errors.ts';
import type { JobSpec } from '../../../shared/job-spec.ts';
import { formatBytes } from '../../../shared/units-of-measure.ts';
import type { JobView, OutputView } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { type DownloadResult, downloadOutputs } from '../download.ts';
import { DETACHED } from '../exit.ts';
import { parseJob } from '../ids.ts';
import { openProgress } from '../output/progress.ts';
import type { Output } from '../output/output.ts';
import { formatSpan, plural } from '../output/text.ts';
import { outputPages } from '../paging.ts';
import { outputList } from '../views.ts';

interface Options {
  to?: string;
  tasks?: number[];
  parallel: number;
}

export async function run(context: Context, args: readonly string[], options: Options): Promise<number> {
  const client = context.client();
  const job = await client.get<JobView>(`/v1/jobs/${parseJob(args[0] ?? '')}`);
  const pages = selectTasks(outputPages(client, job.id), options.tasks);
  if (options.to === undefined) {
    await context.output.list(pages, outputList);
    return EXIT.ok;
  }
  const directory = resolve(options.to);
  const progress = await openProgress(context.output);
  const result = await downloadOutputs(pages, {
    client,
    directory,
    parallel: options.parallel,
    signal: context.interrupted,
    onProgress: (so) =>
      progress.update([
        `Bringing outputs: ${plural(so.fetched + so.kept, 'file')}, ${formatBytes(so.bytes)} fetched`,
      ]),
  });
  progress.stop();
  if (context.interrupted.aborted) {
    context.output.note('Interrupted. The same command goes on where it was.');
    return DETACHED;
  }
  await printDownload(context.output, directory, result);
  if (result.failures.length === 0) return EXIT.ok;
  const { retention } = await client.get<JobSpec>(`/v1/jobs/${job.id}/spec`);
  context.output.error(describeFailures(result, job, retention));
  return EXIT.failed;
}

function describeFailures(
  { failures }: DownloadResult,
  { endedAt }: JobView,
  { resultsMs }: JobSpec['retention'],
): string {
  const what = `${plural(failures.length, 'file')} could not be brought.`;
  const isOver = resultsMs !== null && endedAt !== null && endedAt + resultsMs < Date.now();
  return isOver
    ? `${what} The job kept its results for ${formatSpan(resultsMs)} after its end (retention.results), which are over.`
    : `${what} The same command tries them again.`;
}

async function* selectTasks(
  pages: AsyncIterable<OutputView[]>,
  tasks: readonly number[] | undefined,
): AsyncGenerator<OutputView[]> {
  const wanted = tasks === undefined ? undefined : new Set(tasks);
  for await (const page of pages)
    yield wanted === undefined ? page : page.filter((output) => wanted.has(output.index));
}

async function printDownload(output: Output, directory: string, result: DownloadResult): Promise<void> {
  await output.record(
    { directory, ...result },
    {
      name: () => directory,
      fields: () => [
        ['Directory', directory],
        ['Fetched', `${plural(result.fetched, 'file')}, ${formatBytes(result.bytes)}`],
        ['There already', plural(result.kept, 'file')],
      ],
    },
  );
  for (const failure of result.failures.slice(0, 20)) output.error(`${failure.path}: ${failure.why}`);
}
