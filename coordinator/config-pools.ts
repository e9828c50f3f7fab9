import { join } from 'node:path';
import { z } from 'zod';
import { explainIssues } from '../shared/job-file/explain.ts';
import { knownKeysIn } from '../shared/job-file/json-schema.ts';
import type { Locator } from '../shared/job-file/positions.ts';
import { type Finding, formatPath, show } from '../shared/job-file/problems.ts';
import { queuesDirectory } from '../shared/paths.ts';
import { formatCloudUrl, parseCloudUrl } from '../shared/providers/url.ts';
import { deadQueue, eventsQueue, unitsQueue } from '../shared/wire/keys.ts';
import {
  compilePlace,
  isCloud,
  isSamePlace,
  placeSchema,
  refuseCredentials,
  withCredentials,
} from './config-places.ts';
import { compileQueue, PROVIDER_OF_QUEUE, queueSchema, type QueueKind } from './config-queues.ts';
import type { SettingValues } from './config-settings.ts';
import { compileTiming, type PoolTiming, TIMING_KEYS } from './config-timing.ts';

/** Where a pool's queues and store are: URLs that openQueue/openStore take. */
export interface PoolPlaces {
  unitsQueue: string;
  eventsQueue: string;
  store: string;
}

/** A pool as configured, and what placement knows of it. */
export interface PoolConfig extends PoolPlaces {
  name: string;
  provider: string;
  region: string | null;
  /** Empty: whatever its agents say. */
  archs: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** USD for one cpu for one hour. */
  pricePerCpuHour: number;
  deadQueue: string;
  /** The same places as the pool's agents open them: with their own credentials, never the coordinator's. */
  agent: PoolPlaces;
  timing: PoolTiming;
}

const timeSchema = z.union([z.string(), z.number()], 'must be a time, like 30s');
const agentCredentialsSchema = z.union([
  z.string(),
  z.strictObject({ queue: z.string().optional(), store: z.string().optional() }),
]);

const poolSchema = z.strictObject({
  queue: queueSchema.optional(),
  store: placeSchema.optional(),
  agentCredentials: agentCredentialsSchema.optional(),
  provider: z.string().optional(),
  region: z.string().nullable().optional(),
  archs: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  price: z.number().min(0).optional(),
  ...(Object.fromEntries(TIMING_KEYS.map((key) => [key, timeSchema.optional()])) as Record<
    (typeof TIMING_KEYS)[number],
    z.ZodOptional<typeof timeSchema>
  >),
});
type GivenPool = z.infer<typeof poolSchema>;

const POOL_NAME = /^[a-z][a-z0-9-]{0,30}$/;

export interface PoolsInput {
  home: string;
  ns: string;
  /** The primary store's URL: that of pools which name none. */
  store: string;
  settings: SettingValues;
  /** Settings that somebody gave, under their names. */
  given: Readonly<Record<string, unknown>>;
  sourceOf: Locator['sourceOf'];
}

/** The `pools:` of the file → pools; without any, the one pool `local`. What is wrong is all in `findings`. */
export function compilePools(
  given: unknown,
  input: PoolsInput,
): { pools: PoolConfig[]; findings: Finding[] } {
  const raw = given ?? { local: {} };
  const wrong = (message: string) => ({
    pools: [],
    findings: [{ path: ['pools'], message: `pools: ${message}` }],
  });
  if (typeof raw !== 'object' || Array.isArray(raw))
    return wrong(`must be a map of names to pools, not ${show(raw)}`);
  const entries = Object.entries(raw as Record<string, unknown>);
  if (entries.length === 0) return wrong('must name at least one pool');
  const compiled = entries.map(([name, pool]) => compilePool(name, pool, { ...input, raw }));
  return {
    pools: compiled.flatMap(({ pool }) => pool ?? []),
    findings: compiled.flatMap(({ findings }) => findings),
  };
}

interface Compiled {
  pool?: PoolConfig;
  findings: Finding[];
}

function compilePool(name: string, given: unknown, input: PoolsInput & { raw: unknown }): Compiled {
  const path = ['pools', name];
  const findings: Finding[] = POOL_NAME.test(name)
    ? []
    : [
        {
          path,
          at: 'key',
          message: `${formatPath(path)}: a name has lower-case letters, digits and dashes, at most 31`,
        },
      ];
  const at = { ...input, path, findings };
  const parsed = poolSchema.safeParse(given ?? {}, { error: () => '' });
  if (parsed.success) return assemblePool(name, parsed.data, at);
  const { issues } = parsed.error;
  const explainer = { raw: { pools: input.raw }, sourceOf: input.sourceOf, knownKeys };
  findings.push(
    ...explainIssues(
      issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] })),
      explainer,
    ),
  );
  checkTheRest(name, given, { ...at, wrong: new Set(issues.flatMap(keysOf)) });
  return { findings };
}

type Issue = z.core.$ZodIssue;
const keysOf = (issue: Issue): string[] =>
  issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [String(issue.path[0])];

/** Beside keys that are wrong in form, the others are checked, too. */
function checkTheRest(name: string, given: unknown, at: At & { wrong: ReadonlySet<string> }): void {
  if (typeof given !== 'object' || given === null) return;
  const right = Object.entries(given).filter(([key]) => !at.wrong.has(key));
  const parsed = poolSchema.safeParse(Object.fromEntries(right));
  if (!parsed.success) return;
  const before = at.findings.length;
  assemblePool(name, parsed.data, at);
  // Of a store that could not be read, the account is not known.
  const isGuess = ({ path }: Finding): boolean => at.wrong.has('store') && path.at(-1) === 'account';
  at.findings.push(...at.findings.splice(before).filter((finding) => !isGuess(finding)));
}

interface At extends PoolsInput {
  path: readonly PropertyKey[];
  findings: Finding[];
}

function assemblePool(name: string, given: GivenPool, at: At): Compiled {
  const { path, findings } = at;
  const place =
    given.store === undefined
      ? { url: at.store, findings: [] }
      : compilePlace(given.store, [...path, 'store'], at.home);
  const store = isSamePlace(place.url, at.store) ? at.store : place.url;
  const queue = compileQueue({
    given: given.queue,
    region: given.region ?? undefined,
    store,
    name,
    ns: at.ns,
    path,
  });
  const provider = PROVIDER_OF_QUEUE[queue.kind];
  const timing = compileTiming({
    pool: given,
    path,
    settings: at.settings,
    given: at.given,
    cloudQueue: queue.kind !== 'local',
    cloudStore: isCloud(store),
  });
  findings.push(
    ...place.findings,
    ...queue.findings,
    ...timing.findings,
    ...checkProvider(given, provider, path),
  );
  const urlOf = (wireName: string): string =>
    queue.place === undefined
      ? `local-queue:${join(queuesDirectory(at.home), `${wireName}.sqlite`)}`
      : formatCloudUrl({ ...queue.place, path: wireName });
  const places = {
    unitsQueue: urlOf(unitsQueue(at.ns, name)),
    eventsQueue: urlOf(eventsQueue(at.ns, name)),
    store,
  };
  const agent = agentPlaces(places, given.agentCredentials, path);
  findings.push(...agent.findings);
  const pool: PoolConfig = {
    name,
    provider,
    region: given.region ?? queue.region ?? null,
    archs: given.archs ?? [],
    labels: given.labels ?? {},
    pricePerCpuHour: given.price ?? 0,
    ...places,
    deadQueue: urlOf(deadQueue(at.ns, name)),
    agent: agent.places,
    timing: timing.timing,
  };
  return { pool, findings };
}

/** `provider` may be said, but follows from the queue. */
function checkProvider({ provider }: GivenPool, is: string, path: readonly PropertyKey[]): Finding[] {
  if (provider === undefined || provider === is) return [];
  const at = [...path, 'provider'];
  const kinds = Object.entries(PROVIDER_OF_QUEUE) as [QueueKind, string][];
  const queue = kinds.find(([, known]) => known === provider)?.[0];
  const fix = queue === undefined ? `remove it` : `write "queue: ${queue}", or remove it`;
  return [
    { path: at, message: `${formatPath(at)} is ${show(provider)}, but by its queue it is "${is}"; ${fix}` },
  ];
}

function agentPlaces(
  places: PoolPlaces,
  given: GivenPool['agentCredentials'],
  path: readonly PropertyKey[],
): { places: PoolPlaces; findings: Finding[] } {
  const map = typeof given === 'object' ? given : { queue: given, store: given };
  const findings: Finding[] = [];
  const open = (url: string, credentials = 'default', key?: 'queue' | 'store'): string => {
    const at = [
      ...path,
      'agentCredentials',
      ...(typeof given === 'object' && key !== undefined ? [key] : []),
    ];
    const refusal = isCloud(url) ? refuseCredentials(parseCloudUrl(url).kind, credentials) : undefined;
    if (refusal === undefined) return withCredentials(url, credentials);
    findings.push({ path: at, message: `${formatPath(at)}: ${refusal}` });
    return url;
  };
  return {
    places: {
      unitsQueue: open(places.unitsQueue, map.queue, 'queue'),
      eventsQueue: open(places.eventsQueue, map.queue, 'queue'),
      store: open(places.store, map.store, 'store'),
    },
    findings,
  };
}

let schema: Record<string, unknown> | undefined;
function knownKeys(path: readonly PropertyKey[]): string[] {
  schema ??= z.toJSONSchema(z.object({ pools: z.record(z.string(), poolSchema) }), { io: 'input' });
  return knownKeysIn(schema, path);
}
