import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeDirectories } from '../../../shared/make-directories.ts';
import { parseCloudUrl } from '../../../shared/providers/url.ts';
import type { Emulators } from './emulators.ts';

/** The pools of the demonstration, in the order in which they are shown. */
export const DEMO_POOLS = ['local', 'aws', 'azure'] as const;

/** A new home with a `clobi.yaml` such as one writes for real accounts, but for the endpoints. */
export async function writeDemoHome(
  home: string,
  { aws, azure }: Pick<Emulators, 'aws' | 'azure'>,
): Promise<void> {
  await rm(home, { recursive: true, force: true });
  makeDirectories(home, 0o700);
  const sqs = parseCloudUrl(aws.queueUrl('any'));
  const queue = parseCloudUrl(azure.queueUrl('any'));
  const pools = {
    local: {},
    aws: {
      queue: { kind: 'sqs', region: sqs.host, endpoint: sqs.endpoint },
      store: aws.storeUrl('clobi-demo', 'three-pools'),
    },
    azure: {
      queue: { kind: 'azure-queue', account: queue.host, endpoint: queue.endpoint },
      store: azure.storeUrl('clobi-demo', 'three-pools'),
    },
  };
  // Little work ahead of what runs, and quick heartbeats: a demonstration is short.
  await writeFile(join(home, 'clobi.yaml'), stringify({ lookahead: '2s', pools }));
}
