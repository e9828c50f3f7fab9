import { pause } from '../../../shared/clock.ts';
import type { JobView } from '../../http/api.ts';
import type { Client } from '../client.ts';
import type { DownloadResult } from '../download.ts';
import type { Progress } from '../output/progress.ts';
import { plural } from '../output/text.ts';

const POLL_MS = 200;

interface PublishedOptions {
  client: Client;
  progress: Progress;
  signal: AbortSignal;
}

/** Our own coordinator goes when we do: what `outputs.to` asks for is waited for, unless it cannot be done just now. */
export async function waitPublished(
  jobs: readonly string[],
  { client, progress, signal }: PublishedOptions,
): Promise<DownloadResult['failures']> {
  const failures: DownloadResult['failures'] = [];
  for (const job of jobs) {
    for (;;) {
      signal.throwIfAborted();
      const { name, publish } = await client.get<JobView>(`/v1/jobs/${job}`, {}, signal);
      if (publish === undefined || publish.waiting === 0) break;
      if (publish.failure !== null) {
        failures.push({ path: publish.to, why: publish.failure.message });
        break;
      }
      progress.update([`${name}: publishing the outputs of ${plural(publish.waiting, 'task')}`]);
      await pause(POLL_MS, signal);
    }
  }
  return failures;
}
