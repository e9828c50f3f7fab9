import { ClobiError } from '../../shared/errors.ts';
import { openStore } from '../../shared/providers/open.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { type CloudUrl, formatCloudUrl, parseCloudUrl } from '../../shared/providers/url.ts';
import type { Context } from './context.ts';
import { allStores } from './stores.ts';

/** A place that a job file names, in a store that is not ours. */
export interface Place {
  store: ObjectStore;
  /** Key, or prefix of keys, without slashes at its ends. */
  path: string;
}

type Stores = Pick<Context, 'config' | 'store' | 'pools'>;

const opened = new Map<string, Promise<ObjectStore>>();

/** Opens the place; asks no server anything. Rejects with `INVALID_JOB` what may not be opened. */
export async function openPlace(at: Stores, text: string): Promise<Place> {
  const place = placeOf(at, text);
  const store = opened.get(place.store) ?? openStore(place.store);
  opened.set(place.store, store);
  return { store: await store, path: place.path };
}

/**
 * The store's URL and the path in it. Whose credentials are used is not the job's to say: those of a configured store in the
 * same account or of the same kind. Nor may a job have them sent to a server that no configured store uses.
 */
export function placeOf(at: Stores, text: string): { store: string; path: string } {
  const url = parse(text);
  if (new URL(text).searchParams.has('credentials'))
    throw refused(text, 'a job may not choose credentials; leave credentials= out');
  const known = allStores(at)
    .map((store) => store.url)
    .filter((store) => store.startsWith(`${url.kind}:`))
    .map((store) => parseCloudUrl(store))
    .filter(({ endpoint }) => endpoint === url.endpoint);
  if (url.endpoint !== undefined && known.length === 0)
    throw refused(text, `no store in clobi.yaml uses the endpoint ${url.endpoint}`);
  const model = known.find(({ host }) => host === url.host) ?? known[0];
  const [container = '', ...rest] = url.path.split('/');
  const isBlob = url.kind === 'azblob';
  return {
    store: formatCloudUrl({
      kind: url.kind,
      host: url.host,
      path: isBlob ? container : '',
      endpoint: url.endpoint,
      region: url.region ?? model?.region,
      credentials: model?.credentials ?? 'default',
    }),
    path: isBlob ? rest.join('/') : url.path,
  };
}

function parse(text: string): CloudUrl {
  try {
    const url = parseCloudUrl(text);
    if (url.kind === 's3' || url.kind === 'azblob') return url;
  } catch (error) {
    throw refused(text, (error as Error).message, error);
  }
  throw refused(text, 'it must begin with s3:// or azblob://');
}

const refused = (text: string, why: string, cause?: unknown): ClobiError =>
  new ClobiError('INVALID_JOB', `"${text}" cannot be used in a job: ${why.replace(/\.$/, '')}.`, { cause });
