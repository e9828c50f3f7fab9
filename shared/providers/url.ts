import { ClobiError } from '../errors.ts';

/**
 * Where a queue or store is, as text: what configuration and agent files hold, and what `openQueue`/`openStore` take.
 *
 *   local-queue:PATH                          file:PATH
 *   sqs://REGION/QUEUE                        s3://BUCKET[/PREFIX]
 *   azure-queue://ACCOUNT/QUEUE               azblob://ACCOUNT/CONTAINER[/PREFIX]
 *
 * Options follow as a query: `endpoint` (another server that speaks the same protocol), `region` (S3), and
 * `credentials`, which names where credentials come from and never holds any.
 */
export interface CloudUrl {
  kind: CloudKind;
  /** Region of a queue on SQS, bucket, or storage account. */
  host: string;
  /** What follows, without slashes at its ends. */
  path: string;
  endpoint: string | undefined;
  region: string | undefined;
  /** `default`, `env`, `profile:NAME`, `instance`, …: each provider says what it takes. */
  credentials: string;
}

export const CLOUD_KINDS = ['sqs', 's3', 'azure-queue', 'azblob'] as const;
export type CloudKind = (typeof CLOUD_KINDS)[number];

const OPTIONS: readonly string[] = ['endpoint', 'region', 'credentials'];

/** Rejects with `INVALID_CONFIG` what is no such URL, names no place, or holds a secret. */
export function parseCloudUrl(text: string): CloudUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const kind = CLOUD_KINDS.find((known) => url?.protocol === `${known}:`);
  if (url === undefined || kind === undefined || url.host === '')
    throw wrongUrl(text, 'it is no URL of a cloud');
  if (url.username !== '' || url.password !== '' || url.searchParams.has('sig'))
    throw wrongUrl(url.protocol, 'it holds a secret; name where credentials come from with ?credentials=');
  const unknown = [...url.searchParams.keys()].filter((name) => !OPTIONS.includes(name));
  if (unknown.length > 0)
    throw wrongUrl(text, `unknown option ${unknown.join(', ')}; known: ${OPTIONS.join(', ')}`);
  const path = decodeURIComponent(url.pathname).replaceAll(/^\/+|\/+$/g, '');
  if (path === '' && kind !== 's3') throw wrongUrl(text, `it must go on with /${MISSING_PATH[kind]}`);
  const option = (name: string): string | undefined => url.searchParams.get(name) ?? undefined;
  return {
    kind,
    host: decodeURIComponent(url.host),
    path,
    endpoint: checkEndpoint(text, option('endpoint')),
    region: option('region'),
    credentials: option('credentials') ?? 'default',
  };
}

/** The text that `parseCloudUrl` reads back. */
export function formatCloudUrl(
  url: Omit<CloudUrl, 'endpoint' | 'region' | 'credentials'> & Partial<CloudUrl>,
): string {
  const query = new URLSearchParams();
  if (url.endpoint !== undefined) query.set('endpoint', url.endpoint);
  if (url.region !== undefined) query.set('region', url.region);
  if (url.credentials !== undefined && url.credentials !== 'default')
    query.set('credentials', url.credentials);
  const path = url.path.split('/').map(encodeURIComponent).join('/');
  return `${url.kind}://${url.host}${path === '' ? '' : `/${path}`}${query.size === 0 ? '' : `?${query.toString()}`}`;
}

const MISSING_PATH: Readonly<Record<Exclude<CloudKind, 's3'>, string>> = {
  sqs: 'QUEUE',
  'azure-queue': 'QUEUE',
  azblob: 'CONTAINER',
};

function checkEndpoint(text: string, endpoint: string | undefined): string | undefined {
  if (endpoint === undefined) return undefined;
  if (URL.canParse(endpoint) && (new URL(endpoint).username !== '' || new URL(endpoint).password !== ''))
    throw wrongUrl('an endpoint', 'it holds a secret; name where credentials come from with credentials=');
  if (/^https?:\/\/[^/]/.test(endpoint) && URL.canParse(endpoint)) return endpoint.replace(/\/+$/, '');
  throw wrongUrl(text, `its endpoint "${endpoint}" is no http(s) URL`);
}

const wrongUrl = (text: string, why: string): ClobiError =>
  new ClobiError('INVALID_CONFIG', `"${text}" cannot be used: ${why}.`, { context: { url: text } });
