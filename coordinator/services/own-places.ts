import { ClobiError } from '../../shared/errors.ts';
import {
  agentsDirectory,
  coordinatorDirectory,
  poolsDirectory,
  queuesDirectory,
} from '../../shared/paths.ts';
import { parseCloudUrl } from '../../shared/providers/url.ts';
import { isInside, resolvedPath } from '../../shared/safe-path.ts';
import { OWN_FOLDERS } from '../../shared/wire/keys.ts';
import type { Context } from './context.ts';
import { placeOf } from './places.ts';
import { allStores } from './stores.ts';

type Stores = Pick<Context, 'config' | 'store' | 'pools'>;

/**
 * Rejects with `INVALID_JOB` a place for outputs where they could take the place of a spec, a verdict or another job's results:
 * the facts that a rebuild reads are no job's to write. Beside them in the same bucket or directory there is room.
 */
export async function refuseOwn(at: Stores, url: string): Promise<void> {
  const target = await pathOf(at, url);
  for (const store of await storePaths(at)) {
    const own = OWN_FOLDERS.some((folder) => isInside(`${store}/${folder}`, target));
    if (own || isBelowIndex(target, store)) throw refused(url);
  }
  if (!url.startsWith('file:')) return;
  const { home } = at.config;
  for (const directory of [
    coordinatorDirectory(home),
    queuesDirectory(home),
    poolsDirectory(home),
    agentsDirectory(home),
  ])
    if (isInside(await resolvedPath(directory), target)) throw refused(url);
}

/** Outputs go to `<target>/<index>/…`: a store may be there. */
const isBelowIndex = (target: string, store: string): boolean =>
  store.startsWith(`${target}/`) && /^\d+(\/|$)/.test(store.slice(target.length + 1));

/** Two places are in one another when their paths are: a directory, or kind, endpoint, bucket and prefix. */
async function pathOf(at: Stores, url: string): Promise<string> {
  if (url.startsWith('file:')) return resolvedPath(url.slice('file:'.length));
  const { store, path } = placeOf(at, url);
  return cloudPath(store, path);
}

function storePaths(at: Stores): Promise<string[]> {
  return Promise.all(
    allStores(at).map(async ({ url }) =>
      url.startsWith('file:') ? resolvedPath(url.slice('file:'.length)) : cloudPath(url, ''),
    ),
  );
}

function cloudPath(store: string, key: string): string {
  const { kind, endpoint = '', host, path } = parseCloudUrl(store);
  return [`${kind}:${endpoint}:${host}`, path, key].filter((part) => part !== '').join('/');
}

const refused = (url: string): ClobiError =>
  new ClobiError(
    'INVALID_JOB',
    `outputs.to: "${url}" is where Clobi keeps its own files; outputs there could take their place. Name another place.`,
  );
