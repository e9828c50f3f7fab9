import { ClobiError } from '../../shared/errors.ts';
import { attemptId, epochOfUnit, type JobId, type PoolName } from '../../shared/ids.ts';
import type { JobSpec, TaskParams } from '../../shared/job-spec.ts';
import { specKey } from '../../shared/wire/keys.ts';
import { seal } from '../../shared/wire/signature.ts';
import { MAX_UNIT_BYTES, UNIT_VERSION, type UnitBody, type UnitTask } from '../../shared/wire/unit.ts';
import type { UnitRow } from '../state/store.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import type { Context } from './context.ts';
import { UpstreamInputs } from './upstream-inputs.ts';

/** An object that must be in the store before the unit's message is sent. */
interface ClaimCheck {
  key: string;
  body: string;
}

export interface BuiltUnit {
  message: string;
  claimChecks: readonly ClaimCheck[];
}

interface KnownSpec {
  spec: JobSpec;
  sha256: string;
  inline: boolean;
}

const KNOWN_SPECS = 200;
/** A larger spec is not carried by every unit. */
export const MAX_INLINE_SPEC_BYTES = 16 * 1024;

/** Turns unit rows into signed messages of at most 48 KiB. The same row gives the same work, however often it is built. */
export class UnitBuilder {
  readonly #context: Pick<Context, 'state' | 'config'>;
  readonly #sign: (body: string) => string;
  readonly #specs = new Map<JobId, KnownSpec>();
  readonly #upstream: UpstreamInputs;

  constructor(context: Pick<Context, 'state' | 'config'>, sign: (body: string) => string) {
    this.#context = context;
    this.#sign = sign;
    this.#upstream = new UpstreamInputs(context.state);
  }

  build(row: UnitRow): BuiltUnit {
    const known = this.#spec(row.job);
    const tasks = row.tasks.map((task) => this.#task(row, task, known.spec));
    const byReference = { key: specKey(row.job), sha256: known.sha256 };
    const body = this.#body(row, known, tasks);
    const withReference = { ...body, spec: byReference };
    const claimed = tasks.map((task) => claimParams(row.job, task));
    const slim = { ...withReference, tasks: claimed.map(({ task }) => task) };
    for (const candidate of [body, withReference, slim]) {
      const message = this.#sealed(candidate);
      if (message.length > MAX_UNIT_BYTES) continue;
      return { message, claimChecks: candidate === slim ? claimed.flatMap(({ check }) => check ?? []) : [] };
    }
    throw new ClobiError(
      'INTERNAL',
      `Unit ${row.unit} with ${row.tasks.length} tasks does not fit a message of ${MAX_UNIT_BYTES} bytes.`,
    );
  }

  #body(row: UnitRow, known: KnownSpec, tasks: UnitTask[]): UnitBody {
    return {
      v: UNIT_VERSION,
      ns: this.#context.config.ns,
      pool: row.pool as PoolName,
      unit: row.unit,
      job: row.job,
      taskCount: known.spec.tasks.count,
      spec: known.inline ? { inline: known.spec } : { key: specKey(row.job), sha256: known.sha256 },
      tasks,
      issuedAt: row.createdAt,
      notAfter: row.notAfter,
    };
  }

  #task(row: UnitRow, task: UnitRow['tasks'][number], spec: JobSpec): UnitTask {
    const params = this.#params(row.job, task.index, spec);
    const attempt = attemptId(epochOfUnit(row.unit), task.attempt);
    return { index: task.index, attempt, ...(params === undefined ? {} : { params }) };
  }

  #params(job: JobId, index: number, spec: JobSpec): TaskParams | undefined {
    const own = spec.tasks.kind === 'count' ? undefined : this.#context.state.params(job, index);
    if (spec.upstreamInputs.length === 0) return own;
    return { ...own, inputs: [...(own?.inputs ?? []), ...this.#upstream.of(job, index, spec)] };
  }

  #spec(job: JobId): KnownSpec {
    const known = this.#specs.get(job);
    if (known !== undefined) return known;
    const spec = this.#context.state.spec(job);
    if (spec === undefined) throw new ClobiError('INTERNAL', `Job ${job} has units but no spec.`);
    const text = canonicalJson(spec);
    const read = { spec, sha256: sha256(text), inline: text.length <= MAX_INLINE_SPEC_BYTES };
    if (this.#specs.size >= KNOWN_SPECS) this.#specs.clear();
    this.#specs.set(job, read);
    return read;
  }

  #sealed(body: UnitBody): string {
    const text = canonicalJson(body);
    return seal(text, this.#sign(text));
  }
}

/** Puts a task's params into an object of their own; equal params share one. */
function claimParams(job: JobId, task: UnitTask): { task: UnitTask; check?: ClaimCheck } {
  const { params, ...rest } = task;
  if (params === undefined) return { task };
  const body = canonicalJson(params);
  const hash = sha256(body);
  const key = `jobs/${job}/params/${hash}.json`;
  return { task: { ...rest, paramsAt: { key, sha256: hash } }, check: { key, body } };
}
