import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { makeDirectories } from '../../shared/make-directories.ts';
import { systemClock, type Clock } from '../../shared/clock.ts';
import { ClobiError, isCode } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { jobSpecSchema } from '../../shared/job-spec.ts';
import { coordinatorDirectory } from '../../shared/paths.ts';
import { openStore } from '../../shared/providers/open.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { specKey } from '../../shared/wire/keys.ts';
import { verdictSchema } from '../../shared/wire/verdict.ts';
import type { CoordinatorConfig } from '../config.ts';
import { takeLock } from '../lock.ts';
import { type CoordinatorState, isDamage, openState } from '../state/open.ts';
import type { NewJob } from '../state/store.ts';
import { readCancels } from './cancel.ts';
import { sha256 } from './canonical.ts';
import { readEpoch } from './epoch.ts';
import { readItems, takeItems } from './items.ts';
import { readModes, readMove } from './orders.ts';
import { listAll, parseJson, readSegment, readText } from './read-segments.ts';
import { isFetchedKey, restoreFetched } from './references.ts';
import { wasReleased } from './release.ts';
import { submittedAtOf } from './submitted-at.ts';

export interface RebuildOptions {
  config: CoordinatorConfig;
  log: Logger;
  /** Rebuild although there is a state with jobs; it is moved aside. */
  force?: boolean;
  clock?: Clock;
}

export interface Rebuilt {
  jobs: number;
  tasks: number;
  /** Tasks that will be dispatched again. */
  open: number;
  /** Tasks that ended as lost: they must never be started twice. */
  lost: number;
  /** Jobs whose spec or items in the store are gone or damaged. */
  leftOut: readonly string[];
}

/** Verdicts and outcomes applied in one transaction. */
const BATCH = 5_000;

/** R11: fills an empty state from the facts in the store: specs, verdicts, segments, cancels, in this order. */
export async function rebuildState(options: RebuildOptions): Promise<Rebuilt> {
  const { config, log, clock = systemClock } = options;
  const directory = coordinatorDirectory(config.home);
  makeDirectories(directory, 0o700);
  const lock = takeLock(directory, clock.now());
  try {
    const file = stateFile(config.home);
    setAside(file, { force: options.force === true, now: clock.now(), log });
    const store = await openStore(config.store);
    // Under a name of its own until it is whole: on half a state the coordinator must not start.
    const partial = `${file}.rebuilding`;
    removeState(partial);
    const state = openState(partial);
    let rebuilt: Rebuilt;
    try {
      rebuilt = await fill({ state, store, config, log, clock });
    } finally {
      // The last connection's close brings the write-ahead log into the file.
      state.close();
    }
    removeState(file);
    renameSync(partial, file);
    return rebuilt;
  } finally {
    lock.release();
  }
}

export const stateFile = (home: string): string => join(coordinatorDirectory(home), 'state.sqlite');

interface Work {
  state: CoordinatorState;
  store: ObjectStore;
  config: CoordinatorConfig;
  log: Logger;
  clock: Clock;
}

const SUFFIXES = ['', '-wal', '-shm'];

/** A write-ahead log left behind would be taken for that of the next file with this name. */
function removeState(file: string): void {
  for (const suffix of SUFFIXES) rmSync(`${file}${suffix}`, { force: true });
}

/** Moved, not removed: it may be all that is left of something. */
function setAside(file: string, order: { force: boolean; now: number; log: Logger }): void {
  if (!existsSync(file)) return;
  const jobs = countJobs(file);
  if (jobs !== 'damaged' && jobs > 0 && !order.force) {
    throw new ClobiError(
      'CONFLICT',
      `${file} holds ${jobs} jobs; a rebuild would replace it. Use --force to move it aside and rebuild from the store.`,
    );
  }
  const aside = `${file}.before-rebuild-${order.now}`;
  for (const suffix of SUFFIXES)
    if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${aside}${suffix}`);
  order.log.warn({ file: aside, jobs }, 'moved the former state aside');
}

/** Of a damaged file nothing can be said: that is what a rebuild is for. */
function countJobs(file: string): number | 'damaged' {
  try {
    const state = openState(file);
    try {
      return state.totals().jobs;
    } finally {
      state.close();
    }
  } catch (error) {
    if (isDamage(error)) return 'damaged';
    throw error;
  }
}

async function fill(work: Work): Promise<Rebuilt> {
  const { state, store, log, clock } = work;
  const { jobs, leftOut } = await restoreJobs(work);
  const epoch = Math.max((await readEpoch(store))?.epoch ?? 0, await highestVerdictEpoch(store)) + 1;
  state.setEpoch(epoch);
  await restoreVerdicts(work);
  await restoreSegments(work);
  for (const job of jobs) {
    for (const cancel of await readCancels(work, job.id))
      state.restoreCancel(job.id, cancel.tasks, cancel.reason, cancel.at);
  }
  for (const [pool, mode] of await readModes(store)) state.setPoolMode(pool, mode, clock.now());
  const { open, lost } = state.finishRebuild(
    clock.now(),
    work.config.pools.map(({ name }) => name),
  );
  const tasks = jobs.reduce((sum, job) => sum + job.tasks, 0);
  const rebuilt = { jobs: jobs.length, tasks, open, lost, leftOut };
  log.info({ ...rebuilt, epoch }, 'state rebuilt from the store');
  return rebuilt;
}

interface Restored {
  jobs: { id: JobId; tasks: number }[];
  leftOut: JobId[];
}

/** In the order of the ids, which is mostly that of submission. */
async function restoreJobs({ state, store, log, clock }: Work): Promise<Restored> {
  const restored: Restored['jobs'] = [];
  const leftOut: JobId[] = [];
  const fetched: string[] = [];
  // In the order of keys it comes before the spec.
  const moved = new Set<JobId>();
  for await (const key of listAll(store, 'jobs/')) {
    if (isFetchedKey(key)) fetched.push(key);
    const [, id, name] = (/^jobs\/([^/]+)\/(spec|moved)\.json$/.exec(key) ?? []) as [
      string?,
      JobId?,
      string?,
    ];
    if (id === undefined) continue;
    if (name === 'moved') {
      moved.add(id);
      continue;
    }
    const job = await readJob({ state, store }, id);
    if (job === undefined) {
      log.error({ jobId: id }, 'the spec or the items in the store are not readable; the job is left out');
      leftOut.push(id);
      continue;
    }
    state.restoreJob(job);
    if (moved.has(id)) state.moveJob(id, { to: await readMove(store, id), pending: true }, clock.now());
    if (job.spec.hold && (await wasReleased(store, id))) state.releaseJob(id, clock.now());
    restored.push({ id, tasks: job.spec.retryOf?.indices.length ?? job.spec.tasks.count });
  }
  for (const key of fetched) await restoreFetched({ state, store, log, clock }, key);
  return { jobs: restored, leftOut };
}

/** Undefined when a part of it is gone or damaged. */
async function readJob(from: Pick<Work, 'state' | 'store'>, id: JobId): Promise<NewJob | undefined> {
  const text = await readText(from.store, specKey(id));
  const { data: spec } = jobSpecSchema.safeParse(parseJson(text));
  if (spec === undefined) return undefined;
  const itemSet = spec.tasks.kind === 'items' ? await restoreItems(from, id, spec.tasks.count) : null;
  if (itemSet === undefined) return undefined;
  return { id, spec, specSha256: sha256(text), itemSet, submittedAt: submittedAtOf(id) };
}

async function restoreItems(
  { state, store }: Pick<Work, 'state' | 'store'>,
  id: JobId,
  count: number,
): Promise<number | undefined> {
  const set = state.newItemSet();
  try {
    await takeItems(state, { set, count, batches: readItems(store, id) });
    return set;
  } catch (error) {
    state.dropItemSet(set);
    if (isCode(error, 'NOT_FOUND') || isCode(error, 'INVALID_JOB')) return undefined;
    throw error;
  }
}

const EPOCH_IN_KEY = /^verdicts\/(\d+)\//;

async function highestVerdictEpoch(store: ObjectStore): Promise<number> {
  let highest = 0;
  for await (const key of listAll(store, 'verdicts/'))
    highest = Math.max(highest, Number(EPOCH_IN_KEY.exec(key)?.[1] ?? 0));
  return highest;
}

async function restoreVerdicts({ state, store, log }: Work): Promise<void> {
  for await (const key of listAll(store, 'verdicts/')) {
    const lines = await readLines(store, key);
    const verdicts = lines.flatMap((line) => verdictSchema.safeParse(parseJson(line)).data ?? []);
    if (verdicts.length < lines.length)
      log.error({ key, bad: lines.length - verdicts.length }, 'verdict object has lines that are none');
    state.restoreVerdicts(verdicts);
  }
}

async function restoreSegments({ state, config, clock, log }: Work): Promise<void> {
  // Each pool's segments are in its own store; one store may serve several pools.
  for (const url of new Set(config.pools.map((pool) => pool.store))) {
    const store = await openStore(url);
    const waiting: Awaited<ReturnType<typeof readSegment>>['outcomes'] = [];
    let pool = '';
    const flush = (): void => state.restoreOutcomes(waiting.splice(0), pool, clock.now());
    for await (const key of listAll(store, 'segments/')) {
      const { outcomes, badLines } = await readSegment(store, key);
      if (badLines > 0) log.error({ segment: key, badLines }, 'segment has lines that are no outcomes');
      const from = key.split('/')[1] ?? '';
      if (from !== pool || waiting.length >= BATCH) flush();
      pool = from;
      waiting.push(...outcomes);
    }
    flush();
  }
}

const readLines = async (store: ObjectStore, key: string): Promise<string[]> =>
  (await readText(store, key)).split('\n').filter((line) => line !== '');
