import type { JobSpec } from '../../../shared/job-spec.ts';
import type { JobView, RetryBody, SubmitReply } from '../../http/api.ts';
import type { Client } from '../client.ts';
import { isJobOver } from '../exit.ts';
import { taskPages } from '../paging.ts';

/**
 * One job of the file through all its repetitions: the first job and the retries of what failed in it, in order. The last
 * one's state is the state of the whole, because a retry runs all that had failed before.
 */
export interface Chain {
  name: string;
  dependsOn: readonly string[];
  jobs: string[];
  view: JobView;
  /** It was over with failures before this call: this call may try those again, once. */
  mayRetry: boolean;
}

export async function openChain(
  client: Client,
  job: { name: string; job: string; dependsOn: readonly string[] },
): Promise<Chain> {
  let view = await client.get<JobView>(`/v1/jobs/${job.job}`);
  const jobs = [view.id];
  for (let next = view.retriedBy.at(-1); next !== undefined; next = view.retriedBy.at(-1)) {
    view = await client.get<JobView>(`/v1/jobs/${next}`);
    jobs.push(view.id);
  }
  return {
    name: job.name,
    dependsOn: job.dependsOn,
    jobs,
    view,
    mayRetry: isJobOver(view.state) && view.state !== 'succeeded',
  };
}

/** Which chains to run again now: what they depend on has succeeded, and they have not had their turn. */
export function chooseRetries(chains: readonly Chain[]): Chain[] {
  const succeeded = new Set(
    chains.filter((chain) => chain.view.state === 'succeeded').map((chain) => chain.name),
  );
  return chains.filter((chain) => chain.mayRetry && chain.dependsOn.every((name) => succeeded.has(name)));
}

/** Runs again what did not succeed, cancelled tasks too: their dependency may have failed then and succeeded now. */
export async function retryChain(client: Client, chain: Chain): Promise<void> {
  chain.mayRetry = false;
  const last = chain.view.id;
  const indices: number[] = [];
  for (const state of ['failed', 'lost', 'cancelled']) {
    for await (const page of taskPages(client, last, { state }))
      indices.push(...page.map((task) => task.index));
  }
  if (indices.length === 0) return;
  const body: RetryBody = { select: indices.sort((a, b) => a - b), idempotencyKey: `run-retry:${last}` };
  const reply = await client.post<SubmitReply>(`/v1/jobs/${last}/retry`, body, true);
  chain.jobs.push(reply.job);
  chain.view = await client.get<JobView>(`/v1/jobs/${reply.job}`);
}

/** For each job of the chain the indices whose result is a later one's. */
export async function findSuperseded(client: Client, chain: Chain): Promise<ReadonlySet<number>[]> {
  const later = new Set<number>();
  const superseded: ReadonlySet<number>[] = [];
  for (const job of chain.jobs.toReversed()) {
    superseded.unshift(new Set(later));
    if (job === chain.jobs[0]) break;
    const spec = await client.get<JobSpec>(`/v1/jobs/${job}/spec`);
    for (const index of spec.retryOf?.indices ?? []) later.add(index);
  }
  return superseded;
}
