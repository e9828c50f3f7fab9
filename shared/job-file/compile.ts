import type { FileInput, JobSpec, RemoteInput, Requirement, RetryRule, UpstreamInput } from '../job-spec.ts';
import { parseBytes, parseDuration } from '../units-of-measure.ts';
import { fullSignalName } from './rules.ts';
import { isRemote } from './remote-inputs.ts';
import { type FilePlacement, type JobFile, outputEntries, publishPlace } from './schema.ts';

/** What is known beside the document when it becomes a spec. */
export interface CompileContext {
  name: string;
  owner: string;
  tasks: JobSpec['tasks'];
  inputs: FileInput[];
}

/** A document without problems as a spec: every default filled in, every quantity a number. */
export function compileSpec(file: JobFile, context: CompileContext): JobSpec {
  return {
    v: 1,
    name: context.name,
    description: file.description ?? '',
    labels: file.labels ?? {},
    owner: file.owner ?? context.owner,
    priority: file.priority ?? 0,
    ...(file.idempotencyKey !== undefined && { idempotencyKey: file.idempotencyKey }),
    tasks: context.tasks,
    command: file.command ?? null,
    script: file.script ?? null,
    shell: compileShell(file.shell),
    stdin: typeof file.stdin === 'string' ? { text: file.stdin } : (file.stdin ?? null),
    env: file.env ?? {},
    inputs: context.inputs,
    upstreamInputs: compileUpstream(file),
    ...compileRemote(file),
    ...(publishPlace(file) !== undefined && { publish: publishPlace(file) }),
    outputs: outputEntries(file).map(({ output }) => {
      const {
        glob,
        when = 'success',
        required = false,
      } = typeof output === 'string' ? { glob: output } : output;
      return { glob, when, required };
    }),
    resources: compileResources(file.resources),
    timeout: compileTimeout(file.timeout),
    retry: compileRetry(file.retry),
    maxParallel: file.maxParallel ?? null,
    failFast: compileFailFast(file.failFast),
    depends: (file.depends ?? []).map((entry) => {
      const { job, after = 'success', by = 'job' } = typeof entry === 'string' ? { job: entry } : entry;
      return { job, after, by };
    }),
    placement: compilePlacement(file.placement),
    hold: file.hold ?? false,
    retention: {
      resultsMs: millisOrNull(file.retention?.results),
      logsMs: millisOrNull(file.retention?.logs),
    },
  };
}

const millisOrNull = (text: string | undefined): number | null =>
  text === undefined ? null : parseDuration(text);
const bytesOrNull = (text: string | undefined): number | null =>
  text === undefined ? null : parseBytes(text);

/** Shells known by name stop at the first failure, as the default does. */
const SHELL_FLAGS: Readonly<Record<string, readonly string[]>> = {
  sh: ['-eu'],
  dash: ['-eu'],
  ksh: ['-eu'],
  bash: ['-euo', 'pipefail'],
  zsh: ['-euo', 'pipefail'],
};

function compileShell(shell: JobFile['shell']): string[] {
  if (shell === undefined) return ['/bin/sh', '-eu'];
  if (typeof shell !== 'string') return shell;
  return [shell, ...(SHELL_FLAGS[shell] ?? [])];
}

function compileUpstream(file: JobFile): UpstreamInput[] {
  return (file.inputs ?? []).flatMap((input) => {
    if (typeof input === 'string' || input.fromJob === undefined || input.glob === undefined) return [];
    return [{ job: input.fromJob, glob: input.glob, to: input.to?.replace(/\/+$/, '') ?? '.' }];
  });
}

/** Without any, the spec is what it was before there were such inputs. */
function compileRemote(file: JobFile): Pick<JobSpec, 'remoteInputs'> {
  const remoteInputs = (file.inputs ?? []).flatMap((input): RemoteInput[] => {
    if (typeof input === 'string')
      return isRemote(input) ? [{ url: input, to: null, sha256: null, unpack: false }] : [];
    const { url, to = null, sha256 = null, unpack = false } = input;
    return url === undefined ? [] : [{ url, to, sha256, unpack }];
  });
  return remoteInputs.length === 0 ? {} : { remoteInputs };
}

const compileResources = (resources: JobFile['resources']): JobSpec['resources'] => ({
  cpus: resources?.cpus ?? 1,
  memoryBytes: bytesOrNull(resources?.memory),
  diskBytes: bytesOrNull(resources?.disk),
  gpus: resources?.gpus ?? 0,
});

function compileTimeout(timeout: JobFile['timeout']): JobSpec['timeout'] {
  const { run, queue, grace = '10s' } = typeof timeout === 'string' ? { run: timeout } : (timeout ?? {});
  return { runMs: millisOrNull(run), queueMs: millisOrNull(queue), graceMs: parseDuration(grace) };
}

function compileRetry(retry: JobFile['retry']): JobSpec['retry'] {
  const {
    limit = 0,
    lost = 3,
    backoff = {},
    rules = [],
  } = typeof retry === 'number' ? { limit: retry } : (retry ?? {});
  const initialMs = parseDuration(backoff.initial ?? '1s');
  return {
    limit,
    lost,
    // A first pause above the default of the longest raises it.
    backoff: {
      initialMs,
      factor: backoff.factor ?? 2,
      maxMs: backoff.max === undefined ? Math.max(initialMs, 300_000) : parseDuration(backoff.max),
    },
    rules: rules.map(compileRule),
  };
}

type FileRule = NonNullable<Exclude<JobFile['retry'], number | undefined>['rules']>[number];

function compileRule({ exitCodes, signals, timeout, oom, action }: FileRule): RetryRule {
  return {
    ...(exitCodes !== undefined && {
      exitCodes: expandCodes(Array.isArray(exitCodes) ? exitCodes : [exitCodes]),
    }),
    ...(signals !== undefined && { signals: signals.map(fullSignalName) }),
    ...(timeout !== undefined && { timeout }),
    ...(oom !== undefined && { oom }),
    action,
  };
}

function expandCodes(codes: readonly (number | string)[]): number[] {
  const all = codes.flatMap((code) => {
    if (typeof code === 'number') return [code];
    const [from = 0, to = from] = code.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, n) => from + n);
  });
  return [...new Set(all)].sort((a, b) => a - b);
}

function compileFailFast(failFast: JobFile['failFast']): JobSpec['failFast'] {
  if (failFast === undefined) return null;
  return typeof failFast === 'number' ? { count: failFast } : { percent: Number.parseFloat(failFast) };
}

function compilePlacement(placement: FilePlacement = {}): JobSpec['placement'] {
  const { require = {}, prefer = {}, ...direct } = placement;
  return { require: compileRequirement({ ...direct, ...require }), prefer: compileRequirement(prefer) };
}

/** Processors go by several names; agents report the one that Node gives. */
const ARCH_NAMES = { x64: 'x64', amd64: 'x64', x86_64: 'x64', arm64: 'arm64', aarch64: 'arm64' } as const;

function compileRequirement({
  pool,
  provider,
  region,
  arch,
  labels,
}: NonNullable<FilePlacement['require']>): Requirement {
  return {
    ...(pool !== undefined && { pools: [pool].flat() }),
    ...(provider !== undefined && { providers: [provider].flat() }),
    ...(region !== undefined && { regions: [region].flat() }),
    ...(arch !== undefined && { archs: [...new Set([arch].flat().map((name) => ARCH_NAMES[name]))] }),
    ...(labels !== undefined && { labels }),
  };
}
