import { Readable } from 'node:stream';
import { ClobiError } from '../../shared/errors.ts';
import type { JobSpec, Submission, TaskParams } from '../../shared/job-spec.ts';
import type { CheckReply, JobView, SubmitReply } from '../http/api.ts';
import type { Client } from './client.ts';
import { isJobId, parseJob } from './ids.ts';
import type { SourcedJob } from './job-files.ts';
import type { ListView, Output } from './output/output.ts';
import { formatCount } from './output/text.ts';
import { uploadInputs } from './uploads.ts';

/** Lines of items handed to the connection at once. */
const LINES_TOGETHER = 1000;

export interface Submitted {
  job: string;
  name: string;
  tasks: number;
  /** False when the idempotency key was known: this is the first job. */
  created: boolean;
}

const submittedList: ListView<Submitted> = {
  name: (submitted) => submitted.job,
  columns: [
    { title: 'JOB', text: (submitted) => submitted.job },
    { title: 'NAME', text: (submitted) => submitted.name },
    { title: 'TASKS', text: (submitted) => formatCount(submitted.tasks), align: 'right' },
    { title: 'NEW', text: (submitted) => (submitted.created ? 'yes' : 'no, submitted before') },
  ],
};

/** On a plain table the ids alone: they are what the next command wants. */
export async function printSubmitted(output: Output, submitted: readonly Submitted[]): Promise<void> {
  if (output.format !== 'table') await output.list(submitted, submittedList);
  else await output.write(submitted.map((job) => `${job.job}\n`).join(''));
}

export interface SubmitPlan {
  client: Client;
  output: Output;
  /** The key that makes a repeated submit return the first job; asked once the dependencies are ids. */
  keyOf: (job: SourcedJob, spec: JobSpec) => string;
}

/**
 * Uploads what is missing, then submits in the given order, in which each job comes after those it waits for. What the
 * coordinator would refuse of any job is found before the first is submitted: all or nothing.
 */
export async function submitJobs(given: readonly SourcedJob[], plan: SubmitPlan): Promise<Submitted[]> {
  const jobs = await findUpstream(given, plan.client);
  await checkJobs(jobs, plan.client);
  await uploadInputs(
    plan.client,
    jobs.flatMap((job) => job.uploads),
    plan.output,
  );
  const submitted: Submitted[] = [];
  try {
    await submitEach(jobs, plan, submitted);
  } catch (error) {
    const names = submitted.map(({ job, name }) => `${job} (${name})`).join(', ');
    if (submitted.length > 0)
      plan.output.warn(`Only ${submitted.length} of ${jobs.length} jobs were submitted: ${names}.`);
    throw error;
  }
  return submitted;
}

/** The jobs with whole ids in place of the beginnings of ids that their files may give. */
async function findUpstream(jobs: readonly SourcedJob[], client: Client): Promise<SourcedJob[]> {
  const { resolveDependencies } = await import('../../shared/job-file/depends.ts');
  const ids = new Map<string, string>();
  for (const { submission, dependsOnNames } of jobs) {
    for (const { job } of submission.spec.depends) {
      if (dependsOnNames.includes(job) || isJobId(job) || ids.has(job)) continue;
      ids.set(job, (await client.get<JobView>(`/v1/jobs/${parseJob(job)}`)).id);
    }
  }
  return jobs.map((job) => {
    const known = new Map([...ids].filter(([name]) => !job.dependsOnNames.includes(name)));
    const spec = resolveDependencies(job.submission.spec, known);
    return { ...job, submission: { ...job.submission, spec } };
  });
}

/** Throws `INVALID_JOB` with every problem that the coordinator sees. */
async function checkJobs(jobs: readonly SourcedJob[], client: Client): Promise<void> {
  const specs = jobs.map((job) => withoutSiblings(job.submission.spec, new Set(job.dependsOnNames)));
  const { problems } = await client.post<CheckReply>('/v1/jobs/check', { specs }, true);
  if (problems.length === 0) return;
  const lines = problems.map(({ spec, message }) => {
    const job = jobs[spec];
    return job === undefined ? message : `${job.source}: ${job.name}: ${message}`;
  });
  throw new ClobiError('INVALID_JOB', lines.join('\n'), { context: { problems } });
}

/** What a job waits for in its own file has no id yet; the file's reader has checked it. */
const withoutSiblings = (spec: JobSpec, siblings: ReadonlySet<string>): JobSpec => ({
  ...spec,
  depends: spec.depends.filter(({ job }) => !siblings.has(job)),
  upstreamInputs: spec.upstreamInputs.filter(({ job }) => !siblings.has(job)),
});

/** Fills `submitted` as it goes. */
async function submitEach(
  jobs: readonly SourcedJob[],
  plan: SubmitPlan,
  submitted: Submitted[],
): Promise<void> {
  const { resolveDependencies } = await import('../../shared/job-file/depends.ts');
  const idsOfSource = new Map<string, Map<string, string>>();
  for (const job of jobs) {
    const ids = idsOfSource.get(job.source) ?? new Map<string, string>();
    idsOfSource.set(job.source, ids);
    const resolved = resolveDependencies(job.submission.spec, ids);
    const spec = { ...resolved, idempotencyKey: plan.keyOf(job, resolved) };
    const reply = await submitOne(plan.client, { ...job.submission, spec });
    submitted.push({ ...reply, name: job.name });
    ids.set(job.name, reply.job);
  }
}

/** The idempotency key makes it safe to repeat. Items go as lines, so that there is no second copy of a million. */
function submitOne(client: Client, { spec, items }: Submission): Promise<SubmitReply> {
  if (items === undefined) return client.post<SubmitReply>('/v1/jobs', { spec }, true);
  return client.json<SubmitReply>({
    method: 'POST',
    path: '/v1/jobs',
    bytes: { open: () => Readable.from(linesOf(spec, items)) },
    headers: { 'content-type': 'application/x-ndjson' },
    repeatable: true,
  });
}

function* linesOf(spec: JobSpec, items: readonly TaskParams[]): Generator<string> {
  yield `${JSON.stringify(spec)}\n`;
  for (let from = 0; from < items.length; from += LINES_TOGETHER) {
    const lines = items.slice(from, from + LINES_TOGETHER).map((item) => `${JSON.stringify(item)}\n`);
    yield lines.join('');
  }
}
