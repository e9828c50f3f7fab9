import type { JobSpec } from '../../shared/job-spec.ts';
import type { SubmitReply } from '../http/api.ts';
import type { Client } from './client.ts';
import type { SourcedJob } from './job-files.ts';
import type { ListView, Output } from './output/output.ts';
import { formatCount } from './output/text.ts';
import { uploadInputs } from './uploads.ts';

export interface Submitted {
  job: string;
  name: string;
  tasks: number;
  /** False when the idempotency key was known: this is the first job. */
  created: boolean;
}

export const submittedList: ListView<Submitted> = {
  name: (submitted) => submitted.job,
  columns: [
    { title: 'JOB', text: (submitted) => submitted.job },
    { title: 'NAME', text: (submitted) => submitted.name },
    { title: 'TASKS', text: (submitted) => formatCount(submitted.tasks), align: 'right' },
    { title: 'NEW', text: (submitted) => (submitted.created ? 'yes' : 'no, submitted before') },
  ],
};

export interface SubmitPlan {
  client: Client;
  output: Output;
  /** The key that makes a repeated submit return the first job; asked once the dependencies are ids. */
  keyOf: (job: SourcedJob, spec: JobSpec) => string;
}

/** Uploads what is missing, then submits in the given order, in which each job comes after those it waits for. */
export async function submitJobs(jobs: readonly SourcedJob[], plan: SubmitPlan): Promise<Submitted[]> {
  const { resolveDependencies } = await import('../../shared/job-file/depends.ts');
  await uploadInputs(
    plan.client,
    jobs.flatMap((job) => job.uploads),
    plan.output,
  );
  const idsOfSource = new Map<string, Map<string, string>>();
  const submitted: Submitted[] = [];
  for (const job of jobs) {
    const ids = idsOfSource.get(job.source) ?? new Map<string, string>();
    idsOfSource.set(job.source, ids);
    const resolved = resolveDependencies(job.submission.spec, ids);
    const spec = { ...resolved, idempotencyKey: plan.keyOf(job, resolved) };
    // The key makes it safe to repeat.
    const reply = await plan.client.post<SubmitReply>('/v1/jobs', { ...job.submission, spec }, true);
    submitted.push({ ...reply, name: job.name });
    ids.set(job.name, reply.job);
  }
  return submitted;
}
