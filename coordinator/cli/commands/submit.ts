import { createHash, randomUUID } from 'node:crypto';
import type { Context } from '../context.ts';
import { WATCH_PATIENCE_MS } from '../context.ts';
import type { SourcedJob } from '../job-files.ts';
import { type JobSourceOptions, loadJobs } from '../job-source.ts';
import type { ListView } from '../output/output.ts';
import { formatBytes } from '../../../shared/units-of-measure.ts';
import { formatCount, plural } from '../output/text.ts';
import { printSubmitted, type Submitted, submitJobs } from '../submit.ts';
import { waitForJobs } from '../wait.ts';
import { watchJobs } from '../watch.ts';

interface Options extends JobSourceOptions {
  wait?: boolean;
  watch?: boolean;
  dryRun?: boolean;
  idempotencyKey?: string;
}

export async function run(context: Context, args: readonly string[], options: Options): Promise<number> {
  const jobs = await loadJobs(context, args, options);
  if (options.dryRun === true) {
    await context.output.list(jobs, plannedList);
    context.output.note('Nothing was submitted.');
    return 0;
  }
  const client = context.client();
  const submitted = await submitJobs(jobs, {
    client,
    output: context.output,
    keyOf: keysFor(options.idempotencyKey),
  });
  await printSubmitted(context.output, submitted);
  saySubmitted(context, submitted);
  const ids = submitted.map((job) => job.job);
  if (options.watch === true)
    return watchJobs(context, ids, { client: context.client(WATCH_PATIENCE_MS), live: true });
  if (options.wait === true) return waitForJobs(context, ids, { client: context.client(WATCH_PATIENCE_MS) });
  const id = ids.at(-1) ?? 'last';
  context.output.note(`"clobi watch ${id}" follows it; "clobi outputs ${id} --to DIR" brings the results.`);
  return 0;
}

/** One key for each job of one call: a repetition after a lost answer gives the same job. */
function keysFor(given: string | undefined): (job: SourcedJob) => string {
  const own = randomUUID();
  return (job) => {
    const inFile = job.submission.spec.idempotencyKey;
    if (inFile !== undefined && given === undefined) return inFile;
    return `${given ?? own}:${createHash('sha256').update(job.name).digest('hex').slice(0, 16)}`;
  };
}

function saySubmitted({ output }: Context, submitted: readonly Submitted[]): void {
  for (const job of submitted) {
    output.note(
      job.created
        ? `Submitted ${job.name}: ${plural(job.tasks, 'task')}.`
        : `${job.name} was submitted before; nothing new was started.`,
    );
  }
}

const plannedList: ListView<SourcedJob> = {
  name: (job) => job.name,
  columns: [
    { title: 'NAME', text: (job) => job.name },
    { title: 'TASKS', text: (job) => formatCount(job.submission.spec.tasks.count), align: 'right' },
    { title: 'INPUTS', text: (job) => formatCount(job.uploads.length), align: 'right' },
    {
      title: 'SIZE',
      text: (job) => formatBytes(job.uploads.reduce((sum, upload) => sum + upload.sizeBytes, 0)),
      align: 'right',
    },
    { title: 'AFTER', text: (job) => job.dependsOnNames.join(',') || '-' },
  ],
};
