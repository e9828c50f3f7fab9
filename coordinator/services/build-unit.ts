import { ClobiError } from '../../shared/errors.ts';
import { attemptId, epochOfUnit, type JobId, type PoolName } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import { specKey } from '../../shared/wire/keys.ts';
import { seal } from '../../shared/wire/signature.ts';
import { MAX_UNIT_BYTES, UNIT_VERSION, type UnitBody, type UnitTask } from '../../shared/wire/unit.ts';
import type { UnitRow } from '../state/store.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import type { Context } from './context.ts';
import { nameOfNeed, type Need } from './needs.ts';
import { primaryStore, storeOfPool } from './stores.ts';
import { InputPlanner } from './task-inputs.ts';

/** An object that must be in the store before the unit's message is sent. */
interface ClaimCheck {
  key: string;
  body: string;
}

export interface BuiltUnit {
  /** What must be in the pool's store first. With an input by reference that was never read, the message is not made yet. */
  needs: readonly Need[];
  message: string;
  claimChecks: readonly ClaimCheck[];
}

interface KnownSpec {
  spec: JobSpec;
  text: string;
  sha256: string;
  inline: boolean;
}

const KNOWN_SPECS = 200;
/** A larger spec is not carried by every unit. */
export const MAX_INLINE_SPEC_BYTES = 16 * 1024;

type BuildContext = Pick<Context, 'state' | 'config' | 'pools' | 'store'>;

/** Turns unit rows into signed messages of at most 48 KiB. The same row gives the same work, however often it is built. */
export class UnitBuilder {
  readonly #context: BuildContext;
  readonly #sign: (body: string) => string;
  readonly #specs = new Map<JobId, KnownSpec>();
  readonly #inputs: InputPlanner;

  constructor(context: BuildContext, sign: (body: string) => string) {
    this.#context = context;
    this.#sign = sign;
    this.#inputs = new InputPlanner(context);
  }

  build(row: UnitRow): BuiltUnit {
    const known = this.#spec(row.job);
    const target = storeOfPool(this.#context, row.pool).url;
    const planned = row.tasks.map((task) => this.#task(row, task, { spec: known.spec, target }));
    const common = this.#inputs.ofSpec(known.spec, target);
    const needs = distinct([...common, ...planned.flatMap((task) => task.needs)]);
    if (needs.some(({ kind }) => kind === 'reference')) return { needs, message: '', claimChecks: [] };
    const tasks = planned.map(({ task }) => task);
    const byReference = { key: specKey(row.job), sha256: known.sha256 };
    const body = this.#body(row, known, tasks);
    const withReference = { ...body, spec: byReference };
    const claimed = tasks.map((task) => claimParams(row.job, task));
    const slim = { ...withReference, tasks: claimed.map(({ task }) => task) };
    for (const candidate of [body, withReference, slim]) {
      const message = this.#sealed(candidate);
      if (message.length > MAX_UNIT_BYTES) continue;
      const claimChecks = candidate === slim ? claimed.flatMap(({ check }) => check ?? []) : [];
      // Where the job was submitted to, its spec is already.
      const isInline = 'inline' in candidate.spec || target === primaryStore(this.#context).url;
      if (!isInline) claimChecks.push({ key: specKey(row.job), body: known.text });
      return { needs, message, claimChecks };
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

  #task(
    row: UnitRow,
    { index, attempt: n }: UnitRow['tasks'][number],
    { spec, target }: { spec: JobSpec; target: string },
  ): { task: UnitTask; needs: Need[] } {
    const { params, needs } = this.#inputs.of(row.job, index, spec, target);
    const attempt = attemptId(epochOfUnit(row.unit), n);
    return { task: { index, attempt, ...(params === undefined ? {} : { params }) }, needs };
  }

  #spec(job: JobId): KnownSpec {
    const known = this.#specs.get(job);
    if (known !== undefined) return known;
    const spec = this.#context.state.spec(job);
    if (spec === undefined) throw new ClobiError('INTERNAL', `Job ${job} has units but no spec.`);
    const text = canonicalJson(spec);
    const read = { spec, text, sha256: sha256(text), inline: text.length <= MAX_INLINE_SPEC_BYTES };
    if (this.#specs.size >= KNOWN_SPECS) this.#specs.clear();
    this.#specs.set(job, read);
    return read;
  }

  #sealed(body: UnitBody): string {
    const text = canonicalJson(body);
    return seal(text, this.#sign(text));
  }
}

function distinct(needs: readonly Need[]): Need[] {
  return needs.length < 2 ? [...needs] : [...new Map(needs.map((need) => [nameOfNeed(need), need])).values()];
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
