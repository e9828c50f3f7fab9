import { randomBytes } from 'node:crypto';
import { ulid } from 'ulid';

/**
 * Identifiers are branded strings: a job id cannot be passed where a unit id is asked for.
 * DESIGN words: a task is `<jobId>/<index>`, an attempt `<epoch>.<n>`, a run `<attempt>-<token>`.
 */
type Brand<Name extends string> = string & { readonly __brand: Name };

export type JobId = Brand<'job'>;
export type UnitId = Brand<'unit'>;
/** `<epoch>.<n>`: the n-th dispatch of a task by the coordinator of that epoch. */
export type AttemptId = Brand<'attempt'>;
/** `<attempt>-<token>`: one actual execution; names its output keys. */
export type RunId = Brand<'run'>;
export type AgentId = Brand<'agent'>;
/** One life of an agent process. */
export type BootId = Brand<'boot'>;
export type PoolName = Brand<'pool'>;

export const newJobId = (): JobId => ulid() as JobId;
/** Unit ids carry the epoch, so that a unit of a coordinator's former life is told at a glance (R11). */
export const newUnitId = (epoch: number): UnitId => `${epoch}-${ulid()}` as UnitId;
export const newBootId = (): BootId => ulid() as BootId;
export const newRunId = (attempt: AttemptId): RunId =>
  `${attempt}-${randomBytes(5).toString('hex')}` as RunId;

export const taskId = (job: JobId, index: number): string => `${job}/${index}`;

/** Splits `<jobId>/<index>`; undefined when the text is not of that form. */
export function parseTaskId(text: string): { job: string; index: number } | undefined {
  const match = /^([^/]+)\/(\d{1,10})$/.exec(text);
  return match?.[1] === undefined ? undefined : { job: match[1], index: Number(match[2]) };
}

export const attemptId = (epoch: number, n: number): AttemptId => `${epoch}.${n}` as AttemptId;

/** Splits `<epoch>.<n>`; undefined when the text is not of that form. */
export function parseAttemptId(text: string): { epoch: number; n: number } | undefined {
  const match = /^(\d{1,9})\.(\d{1,9})$/.exec(text);
  return match === null ? undefined : { epoch: Number(match[1]), n: Number(match[2]) };
}

export const epochOfUnit = (unit: UnitId): number => Number(unit.slice(0, unit.indexOf('-')));
