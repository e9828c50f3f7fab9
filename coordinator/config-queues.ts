import { z } from 'zod';
import { type Finding, formatPath, suggest } from '../shared/job-file/problems.ts';
import { type CloudUrl, parseCloudUrl } from '../shared/providers/url.ts';
import { eventsQueue } from '../shared/wire/keys.ts';
import { credentialFindings, tryUrl } from './config-places.ts';

const QUEUE_KINDS = ['local', 'sqs', 'azure-queue'] as const;
export type QueueKind = (typeof QUEUE_KINDS)[number];

export const PROVIDER_OF_QUEUE: Readonly<Record<QueueKind, string>> = {
  local: 'local',
  sqs: 'aws',
  'azure-queue': 'azure',
};

/** A queue as people write it: its kind, or a map with where it is. */
export const queueSchema = z.union([
  z.string(),
  z.strictObject({
    kind: z.string(),
    region: z.string().optional(),
    account: z.string().optional(),
    endpoint: z.string().optional(),
    credentials: z.string().optional(),
  }),
]);

export interface QueueInput {
  given: z.infer<typeof queueSchema> | undefined;
  /** Of the pool. */
  region: string | undefined;
  /** Of the pool; its account is the queue's when that one names none. */
  store: string;
  ns: string;
  name: string;
  path: readonly PropertyKey[];
}

export interface CompiledQueue {
  kind: QueueKind;
  /** Undefined for a local one. Queue names become its path. */
  place: Omit<CloudUrl, 'path'> | undefined;
  region: string | undefined;
  findings: Finding[];
}

/** Azure's longest queue name: https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata */
const LONGEST_AZURE_NAME = 63;

export function compileQueue(input: QueueInput): CompiledQueue {
  const { given = 'local', path } = input;
  const map = typeof given === 'string' ? { kind: given } : given;
  const at = [...path, 'queue', ...(typeof given === 'string' ? [] : ['kind'])];
  const kind = QUEUE_KINDS.find((known) => known === map.kind);
  const nothing = { kind: 'local' as const, place: undefined, region: undefined };
  if (kind === undefined) {
    const hint = suggest(map.kind, QUEUE_KINDS).replace('known here', 'known');
    return {
      ...nothing,
      findings: [{ path: at, message: `${formatPath(at)}: there is no queue "${map.kind}"${hint}` }],
    };
  }
  if (kind === 'local') return { ...nothing, findings: refuseExtras(map, [], path) };
  return kind === 'sqs' ? compileSqs(map, input) : compileAzure(map, input);
}

type GivenMap = Exclude<NonNullable<QueueInput['given']>, string>;

function compileSqs(map: GivenMap, input: QueueInput): CompiledQueue {
  const { path } = input;
  const region = map.region ?? input.region;
  const findings = refuseExtras(map, ['region', 'endpoint', 'credentials'], path);
  if (region === undefined)
    findings.push(
      missing(
        path,
        'region',
        `an SQS queue is in a region: give ${formatPath(path)}.region, like eu-central-1`,
      ),
    );
  else if (!/^[a-z0-9-]+$/.test(region))
    findings.push(missing(path, 'region', `"${region}" is no region of AWS; they read like eu-central-1`));
  const place = { ...optionsOf(map), kind: 'sqs' as const, host: region ?? 'nowhere', region: undefined };
  return { kind: 'sqs', place, region, findings: [...findings, ...checkPlace(place, path)] };
}

function compileAzure(map: GivenMap, input: QueueInput): CompiledQueue {
  const { path, store } = input;
  const account = map.account ?? (store.startsWith('azblob:') ? parseCloudUrl(store).host : undefined);
  const findings = refuseExtras(map, ['account', 'endpoint', 'credentials'], path);
  if (account === undefined)
    findings.push(
      missing(
        path,
        'account',
        `a Storage Queue is in a storage account: give ${formatPath(path)}.queue as {kind: azure-queue, account: NAME}`,
      ),
    );
  else if (!/^[a-z0-9]{3,24}$/.test(account))
    findings.push(
      missing(path, 'account', `"${account}" is no storage account: 3 to 24 lower-case letters and digits`),
    );
  findings.push(...checkAzureName(input));
  const place = {
    ...optionsOf(map),
    kind: 'azure-queue' as const,
    host: account ?? 'nowhere',
    region: undefined,
  };
  return {
    kind: 'azure-queue',
    place,
    region: input.region,
    findings: [...findings, ...checkPlace(place, path)],
  };
}

const optionsOf = ({ endpoint, credentials }: GivenMap): Pick<CloudUrl, 'endpoint' | 'credentials'> => ({
  endpoint,
  credentials: credentials ?? 'default',
});

function checkPlace(place: Omit<CloudUrl, 'path'>, path: readonly PropertyKey[]): Finding[] {
  const at = [...path, 'queue'];
  const endpoint =
    place.endpoint === undefined
      ? undefined
      : tryUrl(`sqs://region/queue?endpoint=${encodeURIComponent(place.endpoint)}`);
  return [
    ...(typeof endpoint === 'string'
      ? [
          {
            path: [...at, 'endpoint'],
            message: `${formatPath(at)}.endpoint: "${place.endpoint ?? ''}" is no http(s) URL`,
          },
        ]
      : []),
    ...credentialFindings(place, [...at, 'credentials']),
  ];
}

function checkAzureName({ ns, name, path }: QueueInput): Finding[] {
  const longest = eventsQueue(ns, name);
  const at = { path, at: 'key' as const };
  if (longest.length > LONGEST_AZURE_NAME)
    return [
      {
        ...at,
        message: `${formatPath(path)}: its queue "${longest}" has ${longest.length} letters, and Azure takes ${LONGEST_AZURE_NAME}; shorten the name or ns`,
      },
    ];
  if (longest.includes('--'))
    return [
      {
        ...at,
        message: `${formatPath(path)}: its queue "${longest}" has two dashes in a row, which Azure does not take`,
      },
    ];
  return [];
}

/** Parts that this kind of queue does not have. */
function refuseExtras(map: GivenMap, takes: readonly string[], path: readonly PropertyKey[]): Finding[] {
  return Object.keys(map)
    .filter((key) => key !== 'kind' && !takes.includes(key))
    .map((key) => ({
      path: [...path, 'queue', key],
      at: 'key' as const,
      message: `${formatPath(path)}.queue: a queue of kind ${map.kind} has no ${key}`,
    }));
}

const missing = (path: readonly PropertyKey[], key: 'region' | 'account', why: string): Finding => ({
  path: [...path, 'queue', key],
  message: `${formatPath(path)}.queue: ${why}`,
});
