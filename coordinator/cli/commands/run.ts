import { basename, resolve } from 'node:path';
import { ClobiError } from '../../../shared/errors.ts';
import type { Context } from '../context.ts';
import { DETACHED, isJobOver } from '../exit.ts';
import type { SourcedJob } from '../job-files.ts';
import { type JobSourceOptions, loadJobs } from '../job-source.ts';
import { type Chain, chooseRetries, openChain, retryChain } from '../local-run/chain.ts';
import { chooseDirectory, contentKey, type LocalHome, openLocalHome } from '../local-run/home.ts';
import { finishRun } from '../local-run/finish.ts';
import { watchInterrupts } from '../local-run/interrupts.ts';
import { type LocalServices, startServices } from '../local-run/services.ts';
import { openProgress, type Progress } from '../output/progress.ts';
import { plural } from '../output/text.ts';
import { jobPages } from '../paging.ts';
import { submitJobs } from '../submit.ts';
import { describeTasks } from '../views.ts';
import { followJobs } from '../watch.ts';

interface Options extends JobSourceOptions {
  results?: string;
  slots?: number;
  fresh?: boolean;
  logs: boolean;
}

/** One call of `clobi run`, once everything is known. */
interface LocalRun {
  context: Context;
  jobs: SourcedJob[];
  home: LocalHome;
  services: LocalServices;
  progress: Progress;
  results: string;
  saveLogs: boolean;
  /** Aborts at the first Ctrl-C, or when the services cannot be kept running. */
  signal: AbortSignal;
}

export async function run(context: Context, args: readonly string[], options: Options): Promise<number> {
  const jobs = await loadJobs(context, args, options);
  const name = nameOfRun(jobs, args);
  const files = context.afterDashes === undefined ? args : [];
  const directory =
    context.givenHome ??
    chooseDirectory(name, { files, command: context.afterDashes, eachLine: options.eachLine });
  const home = await openLocalHome(directory, options.fresh === true);
  const progress = await openProgress(context.output);
  const interrupts = watchInterrupts();
  let services: LocalServices | undefined;
  try {
    services = await startServices({
      home: directory,
      slots: options.slots,
      say: (line) => progress.say(line),
      signal: interrupts.signal,
    });
    interrupts.onSecond(() => services?.hurry());
    const signal = AbortSignal.any([interrupts.signal, services.failed]);
    const results = resolve(options.results ?? `${name}-results`);
    return await runAll({ context, jobs, home, services, progress, results, saveLogs: options.logs, signal });
  } catch (error) {
    progress.stop();
    if (services?.failed.aborted === true) throw services.failed.reason as Error;
    if (!interrupts.signal.aborted) throw error;
    context.output.note('Stopping: what runs may finish. Ctrl-C again ends it now.');
    return DETACHED;
  } finally {
    progress.stop();
    await services?.stop();
    if (interrupts.signal.aborted)
      context.output.note('Stopped. What is done is kept: the same command goes on where it was.');
    interrupts.dispose();
  }
}

/** The job's name when there is one, else that of the file. Names of jobs are names of directories in the results. */
function nameOfRun(jobs: readonly SourcedJob[], files: readonly string[]): string {
  const names = new Set(jobs.map((job) => job.name));
  const twice = jobs.find((job, i) => jobs.findIndex((other) => other.name === job.name) !== i);
  if (twice !== undefined) {
    throw new ClobiError(
      'USAGE',
      `Two jobs are named "${twice.name}", and their results would go to the same directory. Give each its own name, or run them one after the other.`,
    );
  }
  const [only] = names;
  return names.size === 1 && only !== undefined
    ? only
    : basename(files[0] ?? 'jobs').replace(/\.[A-Za-z0-9]+$/, '');
}

async function runAll(run: LocalRun): Promise<number> {
  const chains = await submitAll(run);
  for (let again = chooseRetries(chains); ; again = chooseRetries(chains)) {
    for (const chain of again) {
      await retryOrSay(run, chain);
    }
    await followChains(run, chains);
    if (chooseRetries(chains).length === 0) break;
  }
  return finishRun(chains, { ...run, client: run.services.client });
}

/** One job that cannot be run again must not keep the results of the others from being saved. */
async function retryOrSay(run: LocalRun, chain: Chain): Promise<void> {
  try {
    await retryChain(run.services.client, chain);
    run.progress.say(
      `${chain.name}: ${plural(chain.view.tasks, 'task')} that did not succeed before run again.`,
    );
  } catch (error) {
    if (!(error instanceof ClobiError) || error.retryable) throw error;
    run.progress.say(`${chain.name} cannot be run again: ${error.message} --fresh begins anew.`);
  }
}

async function submitAll(run: LocalRun): Promise<Chain[]> {
  const { client } = run.services;
  const submitted = await submitJobs(run.jobs, {
    client,
    output: run.context.output,
    keyOf: (job, spec) => contentKey({ ...job.submission, spec }, run.home.generation),
  });
  const chains: Chain[] = [];
  for (const one of submitted) {
    const dependsOn = run.jobs.find((job) => job.name === one.name)?.dependsOnNames ?? [];
    const chain = await openChain(client, { name: one.name, job: one.job, dependsOn });
    if (!one.created) run.progress.say(`${one.name} goes on where it was; ${describeTasks(chain.view)}.`);
    chains.push(chain);
  }
  await cancelForgotten(run, chains);
  return chains;
}

/** What an earlier call left open and this one does not ask for, because the file has changed or all begins anew. */
async function cancelForgotten(run: LocalRun, chains: readonly Chain[]): Promise<void> {
  const wanted = new Set(chains.flatMap((chain) => chain.jobs));
  const { client } = run.services;
  for await (const page of jobPages(client, {})) {
    for (const job of page.filter(({ id, state }) => !wanted.has(id) && !isJobOver(state))) {
      await client.post(`/v1/jobs/${job.id}/cancel`, { reason: 'a later "clobi run" took its place' }, true);
      run.progress.say(`${job.name} of an earlier run was still open; it is cancelled.`);
    }
  }
}

async function followChains(run: LocalRun, chains: readonly Chain[]): Promise<void> {
  const views = await followJobs(
    chains.map((chain) => chain.view.id),
    {
      client: run.services.client,
      progress: run.progress,
      signal: run.signal,
      colours: run.context.output.noteColours,
    },
  );
  for (const [i, chain] of chains.entries()) chain.view = views[i] ?? chain.view;
}
