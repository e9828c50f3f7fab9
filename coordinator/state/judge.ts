import { parseAttemptId } from '../../shared/ids.ts';
import type { AgentEvent, EventBatch } from '../../shared/wire/event.ts';
import { endsOwnClaim, remembersReturn } from '../core/void.ts';
import { agentsChanged, type BootRow, endBoot, endClaim, type Hello, hearBoot, saveBoot } from './boots.ts';
import { applyBegun, applyHeartbeat, hearOfUnit, placeOf } from './claims.ts';
import { jobBySeq, type JobRow, touchJob } from './job-rows.ts';
import { commitOutcome } from './outcomes.ts';
import { hearRequests } from './requests.ts';
import { noteSegment, noteSegments } from './segments.ts';
import { applyIn, type Session, type Work } from './session.ts';
import type { JudgeState } from './store.ts';
import { moveTask, taskAt } from './tasks.ts';
import { touchUnit, unitById, type UnitRecord } from './unit-rows.ts';

/** The judge: every report of an agent becomes what it means for tasks, claims and boots. */
export const judgeState = (s: Session): JudgeState => ({
  apply: (batches, now) =>
    applyIn(s, now, (w) => {
      for (const batch of batches) applyBatch(w, batch);
    }),
  commit: (outcomes, now, segments = []) =>
    applyIn(s, now, (w) => {
      for (const outcome of outcomes) commitOutcome(w, outcome);
      noteSegments(s, segments);
    }),
});

/** An event with where it came from. */
interface From {
  boot: BootRow;
  batch: EventBatch;
  place: number;
  /** The batch was heard before: what is counted a time must not be counted again. */
  repeated: boolean;
}

function applyBatch(w: Work, batch: EventBatch): void {
  const boot = hearBoot(w, batch);
  const repeated = boot.seq >= batch.seq;
  boot.seq = Math.max(boot.seq, batch.seq);
  for (const [position, event] of batch.events.entries()) {
    applyEvent(w, event, { boot, batch, place: placeOf(batch.seq, position), repeated });
  }
  saveBoot(w.s, boot, w.now);
}

function applyEvent(w: Work, event: AgentEvent, from: From): void {
  const { boot } = from;
  switch (event.type) {
    case 'hello': {
      applyHello(w, boot, event);
      return;
    }
    case 'heartbeat': {
      if (from.place > boot.beat) boot.running = event.running;
      if (event.requests !== undefined) hearRequests(w.s, boot, event.requests);
      applyHeartbeat(w, boot, event.claims, from.place);
      return;
    }
    case 'started': {
      applyStarted(w, event, from);
      return;
    }
    case 'outcome': {
      applyOutcomes(w, event, from);
      return;
    }
    case 'returned': {
      applyReturned(w, event, from);
      return;
    }
    case 'draining': {
      boot.draining = 1;
      agentsChanged(w, boot.pool);
      return;
    }
    case 'goodbye': {
      boot.ended = 'goodbye';
      endBoot(w, boot, 'goodbye');
      return;
    }
    case 'rejected':
      if (!from.repeated) boot.rejected += 1;
      return;
    default: {
      ignore(event);
      return;
    }
  }
}

/** Said with every heartbeat; mostly it says nothing new. */
function applyHello(w: Work, boot: BootRow, event: Hello): void {
  const hello = JSON.stringify(event);
  if (hello === boot.hello) return;
  boot.hello = hello;
  agentsChanged(w, boot.pool);
}

/** A kind of event that only a newer agent knows. */
const ignore = (_event: never): void => undefined;

function applyStarted(w: Work, event: Extract<AgentEvent, { type: 'started' }>, { boot, place }: From): void {
  const unit = unitById(w.s, event.unit);
  if (unit === undefined) return;
  applyBegun(w.s, boot, unit, place);
  const job = jobBySeq(w.s, unit.job);
  for (const started of event.tasks) startTask(w, { job, unit, started, agent: boot.agent });
}

type StartedTask = Extract<AgentEvent, { type: 'started' }>['tasks'][number];

function startTask(
  w: Work,
  { job, unit, started, agent }: { job: JobRow; unit: UnitRecord; started: StartedTask; agent: string },
): void {
  const task = taskAt(w.s, job, started.index);
  const attempt = parseAttemptId(started.attempt);
  if (
    task?.state !== 'dispatched' ||
    task.unit !== unit.uid ||
    task.n !== attempt?.n ||
    task.epoch !== attempt.epoch
  )
    return;
  task.run = started.run;
  task.agent = agent;
  task.startedAt = started.at;
  job.startedAt ??= Math.max(job.submittedAt, Math.min(w.now, started.at));
  touchJob(w.s, job);
  moveTask(w, job, task, 'running');
}

function applyOutcomes(
  w: Work,
  event: Extract<AgentEvent, { type: 'outcome' }>,
  { boot, place }: From,
): void {
  if (event.outcomes === null) {
    w.applied.segmentsToRead.push(event.segment);
    return;
  }
  for (const outcome of event.outcomes) commitOutcome(w, outcome);
  noteSegment(boot, event.segment);
  for (const id of new Set(event.outcomes.map(({ unit }) => unit))) {
    const unit = unitById(w.s, id);
    // Its agent still has the rest of it.
    if (unit !== undefined && unit.open > 0) applyBegun(w.s, boot, unit, place);
  }
}

/** Hand-backs of a copy: they say nothing of what the first one, which may be in the same hands, begins. */
const OF_A_COPY: ReadonlySet<string> = new Set(['recent', 'redelivered']);

/** R7: a `returned` is remembered, never dropped; the void follows when no live boot claims the unit. */
function applyReturned(w: Work, event: Extract<AgentEvent, { type: 'returned' }>, { boot }: From): void {
  const unit = unitById(w.s, event.unit);
  if (unit === undefined || !remembersReturn()) return;
  hearOfUnit(w.s, unit);
  unit.returned = true;
  if (event.receiveCount === 1 && !OF_A_COPY.has(event.why) && unit.freeBoot === null) {
    unit.freeBoot = boot.id;
    unit.freeTasks = event.notBegun;
  }
  touchUnit(unit);
  if (unit.open > 0) w.applied.claims = true;
  if (endsOwnClaim(event, unit.size)) endClaim(w, unit.uid, boot.id);
}
