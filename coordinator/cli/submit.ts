import type { JobSpec } from '../../shared/job-spec.ts';
import type { SubmitReply } from '../http/api.ts';
import type { Client } from './client.ts';
import type { LoadedJob } from './job-files.ts';
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
  keyOf: (job: LoadedJob, spec: JobSpec) => string;
}

/** Uploads what is missing, then submits in the order of the dependencies. Resolves to the jobs in that order. */
export async function submitJobs(jobs: readonly LoadedJob[], plan: SubmitPlan): Promise<Submitted[]> {
  const { resolveDependencies } = await import('../../shared/job-file/resolve.ts');
  await uploadInputs(plan.client, jobs.flatMap((job) => job.uploads), plan.output);
  const ids = new Map<string, string>();
  const submitted: Submitted[] = [];
  for (const job of orderByDependency(jobs)) {
    const resolved = resolveDependencies(job.submission.spec, ids);
    const spec = { ...resolved, idempotencyKey: plan.keyOf(job, resolved) };
    // The key makes it safe to repeat.
    const reply = await plan.client.post<SubmitReply>('/v1/jobs', { ...job.submission, spec }, true);
    submitted.push({ ...reply, name: job.name });
    ids.set(job.name, reply.job);
  }
  return submitted;
}

/** Every job after those it depends on; else the order of the files. A circle has been refused when the file was read. */
export function orderByDependency<Job extends Pick<LoadedJob, 'name' | 'dependsOnNames'>>(jobs: readonly Job[]): Job[] {
  const byName = new Map(jobs.map((job) => [job.name, job]));
  const ordered = new Set<Job>();
  const visiting = new Set<Job>();
  const visit = (job: Job): void => {
    if (ordered.has(job) || visiting.has(job)) return;
    visiting.add(job);
    for (const name of job.dependsOnNames) {
      const before = byName.get(name);
      if (before !== undefined) visit(before);
    }
    ordered.add(job);
  };
  for (const job of jobs) visit(job);
  return [...ordered];
}
