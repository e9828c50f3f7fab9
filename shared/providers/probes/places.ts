import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { checkProbe } from '../manage.ts';
import { openManager, openQueue, openStore } from '../open.ts';
import type { ObjectStore, Queue } from '../ports.ts';
import { formatCloudUrl, parseCloudUrl } from '../url.ts';
import type { QueueProbeTraits } from './queue.ts';

/** A place of a probe's own beside a real one. `dispose` leaves nothing of it. */
export interface ProbePlace<T> {
  open: () => Promise<T>;
  dispose: () => Promise<void>;
}

const LOCAL_QUEUE = 'local-queue:';

/** A new queue with this name where the one of the URL is. */
export function probeQueue(url: string, name: string): ProbePlace<Queue> {
  const own = queueBeside(url, name);
  const opened: Queue[] = [];
  return {
    open: async () => {
      const queue = await openQueue(own);
      opened.push(queue);
      await queue.ensure();
      return queue;
    },
    dispose: async () => {
      await Promise.all(opened.map((queue) => queue.close()));
      await removeQueue(own);
    },
  };
}

/** An empty store: everything below a prefix with this name in the one of the URL. */
export function probeStore(url: string, name: string): ProbePlace<ObjectStore> {
  const own = storeBelow(url, name);
  return {
    open: () => openStore(own),
    dispose: async () => {
      checkProbe(name);
      const store = await openStore(own);
      for (let left = await store.list(''); left.length > 0; left = await store.list(''))
        await store.remove(left.map(({ key }) => key));
      if (own.startsWith('file:')) await rm(own.slice('file:'.length), { recursive: true, force: true });
    },
  };
}

function queueBeside(url: string, name: string): string {
  if (url.startsWith(LOCAL_QUEUE))
    return `${LOCAL_QUEUE}${join(dirname(url.slice(LOCAL_QUEUE.length)), `${name}.sqlite`)}`;
  return formatCloudUrl({ ...parseCloudUrl(url), path: name });
}

async function removeQueue(url: string): Promise<void> {
  if (!url.startsWith(LOCAL_QUEUE)) {
    await (await openManager(url))?.removeProbe?.();
    return;
  }
  const path = url.slice(LOCAL_QUEUE.length);
  checkProbe(basename(path, '.sqlite'));
  // The database, its log, its bell: all begin with its name.
  for (const file of await readdir(dirname(path)))
    if (file.startsWith(basename(path))) await rm(join(dirname(path), file), { force: true });
}

function storeBelow(url: string, name: string): string {
  if (url.startsWith('file:')) return `file:${join(url.slice('file:'.length), name)}`;
  const place = parseCloudUrl(url);
  return formatCloudUrl({ ...place, path: place.path === '' ? name : `${place.path}/${name}` });
}

/** Long enough for an answer from another continent. */
const CLOUD_LEASE_MS = 5_000;

/** What to expect of the queue behind the URL. */
export function traitsOf(url: string): QueueProbeTraits {
  if (url.startsWith(LOCAL_QUEUE)) return { leaseMs: 300, staleDoneRejects: true };
  const { kind, endpoint } = parseCloudUrl(url);
  return {
    leaseMs: CLOUD_LEASE_MS,
    staleDoneRejects: kind === 'azure-queue',
    // Another's server that speaks the protocol may take less.
    bmpOnly: endpoint !== undefined,
  };
}
