import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../../../shared/errors.ts';
import type { JobView } from '../../http/api.ts';
import type { Client } from '../client.ts';
import type { Context } from '../context.ts';
import { ensurePlaces } from '../demo/ensure-places.ts';
import { startEmulators } from '../demo/emulators.ts';
import { DEMO_POOLS, writeDemoHome } from '../demo/pools-file.ts';
import { shareList, sharesOf } from '../demo/where-it-ran.ts';
import { downloadOutputs } from '../download.ts';
import { DETACHED, exitCodeOfJob } from '../exit.ts';
import { readJobFiles } from '../job-files.ts';
import { watchInterrupts } from '../local-run/interrupts.ts';
import { type LocalServices, startServices } from '../local-run/services.ts';
import { openProgress } from '../output/progress.ts';
import { plural } from '../output/text.ts';
import { outputPages } from '../paging.ts';
import { submitJobs } from '../submit.ts';
import { followJobs } from '../watch.ts';

interface Options {
  slots: number;
}

const JOB_FILE = fileURLToPath(new URL('../../../examples/three-pools/job.yaml', import.meta.url));
const PARALLEL = 8;

/** One job over three pools, two of them in emulated clouds. Everything is made anew at each call. */
export async function run(context: Context, _args: readonly string[], options: Options): Promise<number> {
  const { output } = context;
  const home = context.givenHome ?? resolve('.clobi', 'demo-clouds');
  const interrupts = watchInterrupts();
  output.note(
    'Starting an emulated AWS (SQS, S3) and an emulated Azure (Storage Queue, Blob): nothing leaves this machine.',
  );
  await using emulators = await startEmulators();
  const progress = await openProgress(output);
  let services: LocalServices | undefined;
  try {
    await writeDemoHome(home, emulators);
    await ensurePlaces([emulators.aws, emulators.azure].map((cloud) => cloud.storeUrl('clobi-demo')));
    services = await startServices({
      home,
      slots: options.slots,
      pools: DEMO_POOLS,
      say: (line) => progress.say(line),
      signal: interrupts.signal,
    });
    interrupts.onSecond(() => services?.hurry());
    return await runJob(context, {
      home,
      services,
      signal: AbortSignal.any([interrupts.signal, services.failed]),
    });
  } catch (error) {
    if (services?.failed.aborted === true) throw services.failed.reason as Error;
    if (!interrupts.signal.aborted) throw error;
    return DETACHED;
  } finally {
    progress.stop();
    await services?.stop();
    interrupts.dispose();
  }
}

interface Demo {
  home: string;
  services: LocalServices;
  signal: AbortSignal;
}

async function runJob(context: Context, { home, services, signal }: Demo): Promise<number> {
  const { output } = context;
  const { client } = services;
  const jobs = await readJobFiles([JOB_FILE], undefined);
  const keyOf = (): string => `demo-${Date.now()}`;
  const [submitted] = await submitJobs(jobs, { client, output, keyOf });
  const id = submitted?.job ?? '';
  const [view] = await follow(context, id, { client, signal });
  await output.list(await sharesOf(client, id), shareList);
  const directory = resolve(home, 'results');
  const pages = outputPages(client, id);
  const brought = await downloadOutputs(pages, { client, directory, parallel: PARALLEL, signal });
  for (const failure of brought.failures) output.error(`${failure.path}: ${failure.why}`);
  const shown = relative(process.cwd(), home) || '.';
  output.note(
    `${plural(brought.fetched, 'result')} from all three stores, each checked by its SHA-256, in ${shown}/results/<task>/.\n` +
      `The pools are in ${shown}/clobi.yaml; for real accounts take the endpoints out, then "clobi pool ensure". See docs/providers.md.`,
  );
  return brought.failures.length > 0
    ? EXIT.failed
    : ((view === undefined ? undefined : exitCodeOfJob(view)) ?? EXIT.failed);
}

async function follow(
  { output }: Context,
  job: string,
  { client, signal }: { client: Client; signal: AbortSignal },
): Promise<JobView[]> {
  const progress = await openProgress(output);
  try {
    return await followJobs([job], { client, progress, signal, colours: output.noteColours });
  } finally {
    progress.stop();
  }
}
