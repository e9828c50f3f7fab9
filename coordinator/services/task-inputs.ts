import type { JobId } from '../../shared/ids.ts';
import { type TaskContext } from '../../shared/job-file/interpolate.ts';
import { renderRemote } from '../../shared/job-file/remote-inputs.ts';
import type { FileInput, JobSpec, TaskParams } from '../../shared/job-spec.ts';
import { inputKey } from '../../shared/wire/keys.ts';
import type { Context } from './context.ts';
import type { ContentNeed, Need } from './needs.ts';
import { primaryStore, storeOfPool } from './stores.ts';
import { UpstreamInputs } from './upstream-inputs.ts';

type InputsContext = Pick<Context, 'state' | 'config' | 'pools' | 'store'>;

/** A task's own parameters with the files that are not in the spec, and what must be brought to the store for it. */
export interface TaskInputs {
  params: TaskParams | undefined;
  needs: Need[];
}

/** Works out, for the store of the pool that a task goes to, which of its files are there by nature and which must come. */
export class InputPlanner {
  readonly #context: InputsContext;
  readonly #upstream: UpstreamInputs;
  /** Specs do not change. */
  readonly #ofSpec = new WeakMap<JobSpec, ContentNeed[]>();

  constructor(context: InputsContext) {
    this.#context = context;
    this.#upstream = new UpstreamInputs(context.state);
  }

  /** What this task needs beside that. `target`: the URL of the store. */
  of(job: JobId, index: number, spec: JobSpec, target: string): TaskInputs {
    const own = spec.tasks.kind === 'count' ? undefined : this.#context.state.params(job, index);
    const upstream = this.#upstreamInputs(job, index, spec, target);
    const remote = this.#remoteInputs(job, index, spec, own);
    const inputs = [...upstream.inputs, ...remote.inputs];
    const fromPrimary = this.#fromPrimary([...(own?.inputs ?? []), ...remote.inputs], target);
    const needs = [...upstream.needs, ...remote.needs, ...fromPrimary];
    if (inputs.length === 0) return { params: own, needs };
    return { params: { ...own, inputs: [...(own?.inputs ?? []), ...inputs] }, needs };
  }

  /** What every task of the job needs there. */
  ofSpec(spec: JobSpec, target: string): readonly ContentNeed[] {
    if (target === this.#primaryUrl()) return [];
    const known = this.#ofSpec.get(spec) ?? this.#fromPrimary(spec.inputs, target);
    this.#ofSpec.set(spec, known);
    return known;
  }

  /** Uploaded files are in the primary store. */
  #fromPrimary(inputs: readonly FileInput[], target: string): ContentNeed[] {
    const url = this.#primaryUrl();
    if (target === url) return [];
    return inputs
      .filter(({ key }) => key === undefined)
      .map(({ sha256, sizeBytes }) => ({
        kind: 'content',
        sha256,
        sizeBytes,
        from: { url, key: inputKey(sha256) },
      }));
  }

  /** An output that lies in another store becomes an input like any other there. */
  #upstreamInputs(
    job: JobId,
    index: number,
    spec: JobSpec,
    target: string,
  ): { inputs: FileInput[]; needs: ContentNeed[] } {
    const needs: ContentNeed[] = [];
    const found = this.#upstream.of(job, index, spec);
    const inputs = found.map(({ input, pool }) => {
      const { url } = storeOfPool(this.#context, pool);
      const { key, ...rest } = input;
      if (url === target || key === undefined) return input;
      needs.push({
        kind: 'content',
        sha256: input.sha256,
        sizeBytes: input.sizeBytes,
        from: { url, key },
      });
      return rest;
    });
    return { inputs, needs };
  }

  #remoteInputs(
    job: JobId,
    index: number,
    spec: JobSpec,
    params: TaskParams | undefined,
  ): { inputs: FileInput[]; needs: Need[] } {
    const task: TaskContext = { jobId: job, index, count: spec.tasks.count, params: params ?? {} };
    const inputs: FileInput[] = [];
    const needs: Need[] = [];
    for (const remote of spec.remoteInputs ?? []) {
      const { url, to } = renderRemote(remote, spec.name, task);
      const content = this.#context.state.fetched(job, url);
      if (content === undefined) needs.push({ kind: 'reference', job, url, sha256: remote.sha256 });
      else inputs.push({ to, ...content, executable: false, unpack: remote.unpack });
    }
    return { inputs, needs };
  }

  #primaryUrl(): string {
    return primaryStore(this.#context).url;
  }
}
