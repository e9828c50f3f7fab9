import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../shared/errors.ts';
import { type Finding, formatPath, show, suggest } from '../shared/job-file/problems.ts';
import {
  CLOUD_KINDS,
  type CloudKind,
  type CloudUrl,
  formatCloudUrl,
  parseCloudUrl,
} from '../shared/providers/url.ts';

/** A store as people write it: a URL, or a map of its parts. */
export const placeSchema = z.union([
  z.string(),
  z.strictObject({
    url: z.string(),
    endpoint: z.string().optional(),
    region: z.string().optional(),
    credentials: z.string().optional(),
  }),
]);

/** `url` is usable even where something is wrong, so that the rest can be checked; it must not be opened then. */
export interface Place {
  url: string;
  findings: Finding[];
}

type Path = readonly PropertyKey[];

/** A store → its URL. A relative `file:` path starts at the home directory. */
export function compilePlace(given: unknown, path: Path, home: string): Place {
  const parsed = placeSchema.safeParse(given);
  const name = formatPath(path);
  const bad = (message: string, at: Path = path): Place => ({
    url: 'file:/nowhere',
    findings: [{ path: at, message: `${formatPath(at)}: ${message}` }],
  });
  if (!parsed.success) {
    const misspelt = misspeltKey(given, path);
    const wanted = `${name} is ${show(given)}; it must be the URL of a store, like ${STORE_KINDS}`;
    return { url: 'file:/nowhere', findings: [misspelt ?? { path, message: wanted }] };
  }
  const { url, ...options } = typeof parsed.data === 'string' ? { url: parsed.data } : parsed.data;
  const at = typeof parsed.data === 'string' ? path : [...path, 'url'];
  if (url.startsWith('file:')) {
    if (Object.values(options).some((value) => value !== undefined))
      return bad('a store of files has no endpoint, region or credentials');
    const directory = url.slice('file:'.length).replace(/^\/\/(?=\/)/, '');
    if (directory === '') return bad('file: must go on with a path', at);
    return { url: `file:${isAbsolute(directory) ? directory : resolve(home, directory)}`, findings: [] };
  }
  if (!/^(s3|azblob):/.test(url))
    return bad(`is ${show(url)}; it must be the URL of a store, like ${STORE_KINDS}`, at);
  return compileCloudPlace(url, options, at);
}

const STORE_KINDS = 'file:PATH, s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX';

function misspeltKey(given: unknown, path: Path): Finding | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const known = ['url', 'endpoint', 'region', 'credentials'];
  const key = Object.keys(given).find((one) => !known.includes(one));
  if (key === undefined) return undefined;
  return {
    path: [...path, key],
    at: 'key',
    message: `unknown key "${key}" in ${formatPath(path)}${suggest(key, known)}`,
  };
}

type Options = Partial<Record<'endpoint' | 'region' | 'credentials', string | undefined>>;

function compileCloudPlace(text: string, options: Options, at: Path): Place {
  const url = tryUrl(text);
  if (typeof url === 'string')
    return { url: 'file:/nowhere', findings: [{ path: at, message: `${formatPath(at)}: ${url}` }] };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const whole = formatCloudUrl({ ...url, ...given });
  const again = tryUrl(whole);
  if (typeof again === 'string')
    return { url: whole, findings: [{ path: at, message: `${formatPath(at)}: ${again}` }] };
  return { url: whole, findings: credentialFindings(again, at) };
}

/** The parts of the URL, or what is wrong with it. */
export function tryUrl(text: string): CloudUrl | string {
  try {
    return parseCloudUrl(text);
  } catch (error) {
    return messageOf(error).replace(/\.$/, '');
  }
}

const AWS_CREDENTIALS = /^(default|env|instance|container|profile:.+)$/;
const AZURE_CREDENTIALS = /^(default|env|key|sas|managed(:.+)?|cli|workload)$/;
export const AWS_SOURCES = 'default, env, profile:NAME, instance or container';
export const AZURE_SOURCES = 'default, env, key, sas, managed, managed:CLIENT_ID, cli or workload';

const isAws = (kind: CloudKind): boolean => kind === 'sqs' || kind === 's3';

/** Why these credentials are none that the cloud of this kind takes; undefined when they are. */
export function refuseCredentials(kind: CloudKind, credentials: string): string | undefined {
  const [pattern, known] = isAws(kind) ? [AWS_CREDENTIALS, AWS_SOURCES] : [AZURE_CREDENTIALS, AZURE_SOURCES];
  if (pattern.test(credentials)) return undefined;
  const near = suggest(
    credentials,
    known.split(/, | or /).filter((word) => !word.includes(':')),
  );
  const hint = near.includes('did you mean') ? near : '';
  return `credentials ${show(credentials)} are none of ${known}${hint}`;
}

export function credentialFindings(url: Pick<CloudUrl, 'kind' | 'credentials'>, path: Path): Finding[] {
  const refusal = refuseCredentials(url.kind, url.credentials);
  return refusal === undefined ? [] : [{ path, message: `${formatPath(path)}: ${refusal}` }];
}

export const isCloud = (url: string): boolean => CLOUD_KINDS.some((kind) => url.startsWith(`${kind}:`));

/** The same place, opened with other credentials; a local one needs none. */
export function withCredentials(url: string, credentials: string): string {
  return isCloud(url) ? formatCloudUrl({ ...parseCloudUrl(url), credentials }) : url;
}

/** True when both name one place, whatever the credentials. */
export function isSamePlace(one: string, other: string): boolean {
  if (!isCloud(one) || !isCloud(other)) return one === other;
  const place = (url: string): string => {
    const { kind, host, path, endpoint } = parseCloudUrl(url);
    return JSON.stringify([kind, host, path, endpoint ?? '']);
  };
  return place(one) === place(other);
}
