import { matchesGlob, posix } from 'node:path';
import type { JobId } from '../../shared/ids.ts';
import type { FileInput, JobSpec, UpstreamInput } from '../../shared/job-spec.ts';
import type { CoordinatorState } from '../state/open.ts';

const KNOWN_LISTS = 50;

/** A file of an upstream run, and the pool whose store holds it. */
export interface Upstream {
  input: FileInput;
  pool: string;
}

/** Committed outputs of upstream jobs as inputs of a task: of the same index under `by: tasks`, else of every task. */
export class UpstreamInputs {
  readonly #state: CoordinatorState;
  /** Lists that every task of a job shares; upstream is over, so they do not change. */
  readonly #shared = new Map<string, Upstream[]>();

  constructor(state: CoordinatorState) {
    this.#state = state;
  }

  of(job: JobId, index: number, spec: JobSpec): Upstream[] {
    return spec.upstreamInputs.flatMap((input, at) => {
      if (this.#byTasks(spec, input.job)) return this.#ofTask(input, index);
      const name = `${job}/${at}`;
      const known = this.#shared.get(name) ?? this.#ofEveryTask(input);
      if (this.#shared.size >= KNOWN_LISTS) this.#shared.clear();
      this.#shared.set(name, known);
      return known;
    });
  }

  /** A retry has no dependencies of its own: those of the job it repeats have held. */
  #byTasks(spec: JobSpec, upstream: string): boolean {
    let original = spec;
    while (original.retryOf !== undefined) {
      const next = this.#state.spec(original.retryOf.job as JobId);
      if (next === undefined) break;
      original = next;
    }
    return original.depends.some((dependency) => dependency.job === upstream && dependency.by === 'tasks');
  }

  #ofTask(input: UpstreamInput, index: number): Upstream[] {
    for (const job of this.#withRetries(input.job as JobId)) {
      const outputs = this.#state.taskOutputs(job, index);
      if (outputs.length > 0) return outputs.flatMap((output) => asInput(input, output, output.path));
    }
    return [];
  }

  /** A task that only succeeded in a retry has its outputs there. */
  #ofEveryTask(input: UpstreamInput): Upstream[] {
    const found = new Map<number, Upstream[]>();
    for (const job of this.#withRetries(input.job as JobId)) {
      const here = Map.groupBy(this.#outputsOf(job), ({ index }) => index);
      for (const [index, outputs] of here) {
        if (found.has(index)) continue;
        found.set(
          index,
          outputs.flatMap((output) => asInput(input, output, `${index}/${output.path}`)),
        );
      }
    }
    return [...found.values()].flat();
  }

  *#outputsOf(job: JobId): Generator<Output & { index: number }> {
    for (let after: string | undefined, page; ; after = page.next) {
      page = this.#state.outputs(job, { limit: 1000, ...(after === undefined ? {} : { after }) });
      yield* page.outputs;
      if (page.next === undefined) return;
    }
  }

  /** The job and, behind it, every retry of it and of its retries. */
  #withRetries(job: JobId): JobId[] {
    const retries = this.#state.job(job)?.retriedBy ?? [];
    return [job, ...retries.flatMap((retry) => this.#withRetries(retry as JobId))];
  }
}

interface Output {
  pool: string;
  path: string;
  key: string;
  sizeBytes: number;
  sha256: string;
}

function asInput(input: UpstreamInput, output: Output, path: string): Upstream[] {
  if (!matchesGlob(output.path, input.glob)) return [];
  const { sha256, sizeBytes, key, pool } = output;
  const to = posix.join(input.to, path);
  return [{ input: { to, sha256, sizeBytes, key, executable: false, unpack: false }, pool }];
}
