import type { AgentId, BootId, JobId, UnitId } from '../../shared/ids.ts';
import type { JobSpec, TaskParams } from '../../shared/job-spec.ts';
import type { EventBatch, Outcome } from '../../shared/wire/event.ts';
import type { Verdict } from '../../shared/wire/verdict.ts';
import type { AgentShape } from '../core/place.ts';
import type { PoolMode } from '../core/pool-mode.ts';
import type { OverMarkState, PublishState } from './outboxes.ts';

/**
 * The coordinator's state: everything the services ask of it, each call one transaction (calls inside
 * `transaction` join it). Synchronous: SQLite answers in microseconds, and a decision and its record are never apart.
 *
 * A task has a row only once something happened to it. Tasks of a job without a row are its *rest*: all in one
 * state (`ready`, `blocked` or `cancelled`), so that a million tasks are submitted, counted and cancelled at the cost of one.
 */
export interface Store
  extends RequestState,
    ItemState,
    JobState,
    DispatchState,
    JudgeState,
    LivenessState,
    OrderState,
    VerdictState,
    OverMarkState,
    StagingState,
    PublishState {
  transaction<T>(work: () => T): T;
  /** The epoch of this coordinator's life (R11); 0 before the first start. */
  epoch(): number;
  setEpoch(epoch: number): void;
  close(): void;
}

export interface NewJob {
  id: JobId;
  spec: JobSpec;
  specSha256: string;
  /** Where the items of a job of the kind `items` are. */
  itemSet: number | null;
  submittedAt: number;
}

/**
 * Items of jobs, in sets. A set is filled before the job is there that names it, so that a million items are never in one
 * transaction nor in memory together; a retry names the set of the job it repeats.
 */
export interface ItemState {
  newItemSet(): number;
  /** Appends the parameters of tasks, each as JSON without a newline in it. */
  addItems(set: number, params: readonly string[]): void;
  /** `bytes`: of its lines, at least nearly. */
  itemSetSize(set: number): { items: number; bytes: number };
  /** All parameters as lines of JSON, many lines at a time. */
  itemLines(set: number): Iterable<string>;
  /** Forgets it, unless a job names it. */
  dropItemSet(set: number): void;
  /** Forgets those that no job names: what a former life was receiving when it ended. Returns how many. */
  dropLooseItemSets(): number;
}

export interface JobState {
  /** R1, first step: the row, not yet acknowledged nor dispatched. A known idempotency key (per owner) gives that job's id. */
  stageJob(job: NewJob): { job: JobId; created: boolean; acknowledged: boolean };
  /** R1, last step, after the spec object is durable: the job may be seen and dispatched. Idempotent. */
  acknowledgeJob(job: JobId, now: number): void;
  /** Staged jobs of a former life: their spec is put again and they are acknowledged. */
  stagedJobs(): NewJob[];
  releaseJob(job: JobId, now: number): void;
  spec(job: JobId): JobSpec | undefined;
  itemSet(job: JobId): number | null;
  /** Parameters of one task: from the matrix, the items, or none. */
  params(job: JobId, index: number): TaskParams | undefined;
  /** R8: ends all open tasks (or those named) as cancelled. Returns how many; the units to revoke follow from `revokes`. */
  cancel(job: JobId, tasks: readonly number[] | null, reason: string, now: number): number;
  /** Tasks whose `timeout.queue` has passed without a start end as cancelled. Returns how many. */
  cancelOverdue(now: number): number;
}

/** A job that has ready tasks, as the planner sees it. */
export interface JobCandidate {
  job: JobId;
  owner: string;
  priority: number;
  /** Submission order. */
  seq: number;
  spec: JobSpec;
  ready: number;
  /** Dispatched or running now; for `maxParallel`. */
  outstanding: number;
  /** Mean run time so far in ms; null before the first outcome. */
  meanMs: number | null;
  /** Outcomes that mean is made of. */
  samples: number;
  /** The pool that a person moved the job to. */
  movedTo: string | null;
}

export interface PoolLoad {
  pool: string;
  outstandingTasks: number;
  outstandingUnits: number;
  /** Estimated work of the outstanding tasks, in ms of one slot; tasks of unknown length count as `unknownMs` each. */
  outstandingMs: number;
  slots: number;
  /** Agents that take work: heard of lately and not draining. */
  liveAgents: number;
  /** Their distinct kinds, for placement. */
  shapes: AgentShape[];
}

export interface UnitRow {
  unit: UnitId;
  pool: string;
  job: JobId;
  tasks: { index: number; attempt: number }[];
  createdAt: number;
  notAfter: number;
  /** True for `retry.lost: 0`: marked sent before the send (R2). */
  markFirst: boolean;
  /** What has not begun of it is asked back. */
  recall: boolean;
}

export interface DispatchState {
  /** Backoffs that are over become ready. Returns how many, and when the next one ends. */
  endBackoffs(now: number): { ended: number; nextAt: number | null };
  /** Jobs with ready tasks, not held, by priority then submission: the first `limit`, and where there are more the first of each owner. */
  candidates(limit: number): JobCandidate[];
  /** Tasks dispatched or running of each owner that has any. */
  outstandingByOwner(): ReadonlyMap<string, number>;
  load(pool: string, unknownMs: number): PoolLoad;
  /** R2: picks ready tasks of the job (lowest index first), raises their attempts, writes one unit row per size. One transaction. */
  createUnits(order: {
    job: JobId;
    pool: string;
    sizes: readonly number[];
    now: number;
    notAfter: number;
  }): UnitRow[];
  /** The outbox: rows neither sent nor void that have an open task of theirs, oldest first; those in `except` are passed by. */
  unsentUnits(pool: string, limit: number, except?: ReadonlySet<UnitId>): UnitRow[];
  markSent(units: readonly UnitId[], now: number): void;
  /** All of them would still be sent by the outbox. */
  areUnsent(units: readonly UnitId[]): boolean;
  /** Units marked before their send, which the queue's server then refused: they were not sent after all. */
  unmarkSent(units: readonly UnitId[]): void;
}

/** What one application of events changed: which services to wake, what to count. */
export interface Applied {
  committed: number;
  superseded: number;
  failures: number;
  losses: number;
  /** A terminal state waits for its verdict export. */
  verdicts: boolean;
  /** Tasks became ready, capacity was freed, or an agent appeared. */
  dispatchable: boolean;
  /** Segments named by events that carry no outcomes: read them and call `commit`. */
  segmentsToRead: string[];
  /** Units to revoke changed. */
  revokes: boolean;
  /** A unit has lost its last holder, or was handed back. */
  claims: boolean;
}

export interface JudgeState {
  /** Applies event batches in one transaction (hello, heartbeat, started, outcome, returned, …). Idempotent (R5). */
  apply(batches: readonly EventBatch[], now: number): Applied;
  /** Commits outcomes read from segments (R5, R7). Idempotent. `segments`: the keys they were read from, never to be read again. */
  commit(outcomes: readonly Outcome[], now: number, segments?: readonly string[]): Applied;
}

export interface VoidCandidate {
  unit: UnitId;
  pool: string;
  /** Everyone who ever claimed it: their segments are read before the void (R7). */
  claimants: { agent: AgentId; boot: BootId }[];
  why: VoidReason;
}

/**
 * `dark`: the pool cannot be read and the hold-down is over (R9); tasks without a loss left are kept in the unit.
 * `abandoned`: of a dark pool that a person has given up, or past its `notAfter`. The other reasons are looked at again when the unit is voided.
 */
export type VoidReason = 'returned' | 'silent' | 'unclaimed' | 'dark' | 'abandoned';

export interface OpenUnit {
  /** Grows with age; where to go on after. */
  uid: number;
  unit: UnitId;
  job: JobId;
  notAfter: number;
  /** Everyone who ever claimed it. */
  claimants: { agent: AgentId; boot: BootId }[];
}

export interface LivenessState {
  /** Ends the claims of boots not heard since `silentSince` (ms). The caller has made sure we were listening (R7). */
  endSilentBoots(pool: string, silentSince: number, now: number): { agent: AgentId; boot: BootId }[];
  /** Units without a live claim that were ever claimed or ever returned; and, with `patienceBefore`, units never claimed and sent before that. At most 1,000. */
  voidCandidates(pool: string, patienceBefore: number | null): VoidCandidate[];
  /** True when a unit sent later than `sentAt` has been heard of in the pool. */
  laterUnitHeard(pool: string, sentAt: number): boolean;
  /** Units of the pool, not void, with an open task: oldest first, after the one with number `after`. */
  openUnits(pool: string, after: number, limit: number): OpenUnit[];
  oldestUnclaimed(pool: string): { unit: UnitId; sentAt: number } | undefined;
  /** Voids units: each task whose current attempt is in it suffers a loss, or none when handed back unbegun at count 1 (R3, R6). */
  voidUnits(units: readonly { unit: UnitId; why: VoidReason }[], now: number): Applied;
  /** The last segment of a boot whose outcomes are committed, as a key to list after. */
  lastSegmentRead(agent: AgentId, boot: BootId): string | undefined;
  /** R8: what the control document of the pool must name now. Entries past their `notAfter` are forgotten here. */
  revokes(pool: string, now: number): { unit: UnitId; tasks: number[] | null; notAfter: number }[];
  /** Lives of agents that are asked to drain, as the control document names them. */
  drains(pool: string): string[];
  /** In this pool, or in every one where a live agent has the name; those pools. */
  requestDrain(agent: AgentId, pool?: string): string[];
}

/** How much was asked back: tasks that are not known to have begun, and the units that they are in. */
export interface AskedBack {
  units: number;
  tasks: number;
}

export interface TakenBack {
  applied: Applied;
  /** Freed: nothing of them was begun. */
  back: UnitId[];
  /** Units that we have never written. */
  unknown: UnitId[];
}

export interface OrderState {
  /** `since` null: it was never otherwise. */
  poolMode(pool: string): { mode: PoolMode; since: number | null };
  /** Evacuating asks back what waits in the pool. The same order again does so again, and keeps its time. */
  setPoolMode(pool: string, mode: PoolMode, now: number): AskedBack;
  /** From now on the job goes to this pool and no other, null: as its placement says; what waits elsewhere is asked back unless `pending`. */
  moveJob(job: JobId, order: { to: string | null; pending: boolean }, now: number): AskedBack;
  /** Units asked back from the pool's agents, for the control document. */
  recalls(pool: string): UnitId[];
  /** How many of them may still be in the queue: sent, and no agent was heard to have them. */
  waitingRecalls(pool: string): number;
  /** The coordinator has received these messages, all events before are applied: as a hand-back of its own (R3). */
  takeBack(messages: readonly { unit: UnitId; receiveCount: number }[], now: number): TakenBack;
  /** The same for units of the outbox that were never tried to be sent. */
  takeBackUnsent(units: readonly UnitId[], now: number): Applied;
}

export interface RequestState {
  /** Books requests to a pool's provider, or to the primary store (`PRIMARY_STORE`), by operation. */
  addRequests(pool: string, counts: Readonly<Record<string, number>>): void;
  /**
   * Shares what is booked and not yet shared among the runs that have counted since the last time; of a pool without work,
   * among those that were the last, or else among nobody.
   */
  shareRequests(now: number): void;
  requests(): { pool: string; operation: string; total: number }[];
}

export interface VerdictState {
  /** Terminal states not yet exported, at most `limit`, with the number of their object. */
  pendingVerdicts(limit: number): { number: number; verdicts: Verdict[] } | undefined;
  /** The object is durable: the states may be shown, dependent tasks become ready or are cancelled (R11). */
  markExported(number: number, now: number): Applied;
}

export interface FetchedContent {
  sha256: string;
  sizeBytes: number;
}

/** What has been brought where. A hint: whoever relies on it after a restart asks the store once. */
export interface StagingState {
  /** True when this content is known to have been in the store. */
  wasStaged(store: string, sha256: string): boolean;
  noteStaged(store: string, sha256: string, now: number): void;
  /** What the job's input by reference turned out to be. */
  fetched(job: JobId, url: string): FetchedContent | undefined;
  /** Only the first one counts. */
  noteFetched(job: JobId, url: string, content: FetchedContent, now: number): void;
}

/** Facts for `rebuild` (R11): an empty store is filled in this order. */
export interface RebuildState {
  restoreJob(job: NewJob): void;
  restoreVerdicts(verdicts: readonly Verdict[]): void;
  /** Outcomes of a pool's segments: the visible run of a verdict gets its details; a success without a verdict ends an open task. */
  restoreOutcomes(outcomes: readonly Outcome[], pool: string, now: number): void;
  restoreCancel(job: JobId, tasks: readonly number[] | null, reason: string, now: number): void;
  /** What is still open: dispatched again, or `lost` where `retry.lost` is 0. Units may have been in any of these pools. */
  finishRebuild(now: number, pools?: readonly string[]): { open: number; lost: number };
}
