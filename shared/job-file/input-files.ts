import { posix } from 'node:path';
import type { FileInput, JobSpec, TaskParams } from '../job-spec.ts';
import { paramsOf } from './expand.ts';
import { type FoundFile, findByGlob, findByPath, isPattern } from './find-files.ts';
import { FileHashes, type Upload } from './hash-files.ts';
import {
  escapeGlob,
  holdsTemplate,
  parseTemplate,
  renderTemplate,
  type TaskContext,
  type Template,
} from './interpolate.ts';
import { LIMITS } from './limits.ts';
import { type Finding, formatPath } from './problems.ts';
import { isRemote } from './remote-inputs.ts';
import { checkInside } from './rules.ts';
import type { JobFile } from './schema.ts';

/**
 * The files that `inputs` names, found beside the job file and hashed. An entry without a template is for every
 * task; one with a template is rendered for each task, whose files then go with its own parameters.
 */
export interface StagedInputs {
  inputs: FileInput[];
  /** As the task set was, or one of the kind `items` where tasks have files of their own. */
  tasks: JobSpec['tasks'];
  items?: TaskParams[];
  uploads: Upload[];
  findings: Finding[];
}

export interface StageRequest {
  file: JobFile;
  jobName: string;
  directory: string;
  tasks: JobSpec['tasks'];
  items?: TaskParams[];
}

interface Entry {
  path: readonly PropertyKey[];
  kind: 'path' | 'glob' | 'either';
  text: Template;
  to: Template | undefined;
  sha256: string | undefined;
  unpack: boolean;
  isTemplated: boolean;
}

/** Tasks whose files are looked for at the same time. */
const TASKS_AT_ONCE = 32;
/** Missing files of single tasks that are named; a wrong path is wrong for every task. */
const TASK_FINDINGS = 10;

export async function stageInputs(request: StageRequest): Promise<StagedInputs> {
  const hashes = new FileHashes();
  const entries = (request.file.inputs ?? []).flatMap(readEntry);
  const staticEntries = entries.filter((entry) => !entry.isTemplated);
  const { inputs, findings } = await stageEntries(staticEntries, { request, hashes, task: undefined });
  if (findings.length === 0) findings.push(...checkDestinations(inputs, []));
  const templated = entries.filter((entry) => entry.isTemplated);
  const own = templated.length === 0 ? undefined : await stageTasks(templated, inputs, { request, hashes });
  findings.push(...(own?.findings ?? []));
  const items = own?.items ?? request.items;
  return {
    inputs: inputs.map(({ input }) => input),
    tasks: own === undefined ? request.tasks : { kind: 'items', count: request.tasks.count },
    ...(items !== undefined && { items }),
    uploads: hashes.uploads(),
    findings,
  };
}

/** Inputs for every task that are not there; reads no file. */
export async function findMissingInputs(request: StageRequest): Promise<Finding[]> {
  const entries = (request.file.inputs ?? []).flatMap(readEntry).filter((entry) => !entry.isTemplated);
  const found = await Promise.all(entries.map((entry) => findEntry(entry, { request, task: undefined })));
  return found.flatMap((result, at) =>
    'complaint' in result ? [toFinding(entries[at]?.path ?? [], result.complaint)] : [],
  );
}

interface Staged {
  input: FileInput;
  path: readonly PropertyKey[];
}

interface Stage {
  request: StageRequest;
  hashes: FileHashes;
  /** undefined: for all tasks. */
  task: TaskContext | undefined;
}

function readEntry(entry: NonNullable<JobFile['inputs']>[number], index: number): Entry[] {
  if (typeof entry === 'string' ? isRemote(entry) : entry.url !== undefined) return [];
  const map = typeof entry === 'string' ? { to: undefined, sha256: undefined, unpack: false } : entry;
  const [kind, text] = typeof entry === 'string' ? (['either', entry] as const) : textOf(entry);
  if (text === undefined) return [];
  const { to, sha256, unpack = false } = map;
  return [
    {
      path: kind === 'either' ? ['inputs', index] : ['inputs', index, kind],
      kind,
      text: parseTemplate(text).parts,
      to: to === undefined ? undefined : parseTemplate(to).parts,
      sha256,
      unpack,
      isTemplated: holdsTemplate(text) || (to !== undefined && holdsTemplate(to)),
    },
  ];
}

const textOf = (entry: {
  path?: string | undefined;
  glob?: string | undefined;
  fromJob?: string | undefined;
}) => {
  if (entry.fromJob !== undefined) return ['path', undefined] as const;
  return entry.path === undefined ? (['glob', entry.glob] as const) : (['path', entry.path] as const);
};

/** The files of every task that has its own, with its other parameters. */
async function stageTasks(
  entries: readonly Entry[],
  common: readonly Staged[],
  { request, hashes }: Omit<Stage, 'task'>,
): Promise<{ items: TaskParams[]; findings: Finding[] }> {
  const items: TaskParams[] = [];
  const findings: Finding[] = [];
  const stageTask = async (index: number): Promise<Finding[]> => {
    const params = paramsOf(request.tasks, index, request.items);
    const task = { jobId: '', index, count: request.tasks.count, params };
    const { inputs, findings: found } = await stageEntries(entries, { request, hashes, task });
    items[index] = { ...params, inputs: inputs.map(({ input }) => input) };
    const wrong = found.length > 0 ? found : checkDestinations(inputs, common);
    return wrong.map((finding) => ({ ...finding, message: `${finding.message} (task ${index})` }));
  };
  for (let from = 0; from < request.tasks.count && findings.length < TASK_FINDINGS; from += TASKS_AT_ONCE) {
    const size = Math.min(TASKS_AT_ONCE, request.tasks.count - from);
    const batch = await Promise.all(Array.from({ length: size }, (_, offset) => stageTask(from + offset)));
    // In the order of the tasks, whichever was looked at first.
    findings.push(...batch.flat());
  }
  return { items, findings: findings.slice(0, TASK_FINDINGS) };
}

async function stageEntries(
  entries: readonly Entry[],
  stage: Stage,
): Promise<{ inputs: Staged[]; findings: Finding[] }> {
  const inputs: Staged[] = [];
  const findings: Finding[] = [];
  for (const entry of entries) {
    const found = await findEntry(entry, stage);
    if ('complaint' in found) findings.push(toFinding(entry.path, found.complaint));
    else if (inputs.length + found.length > LIMITS.inputFiles) {
      const complaint = `more than ${LIMITS.inputFiles} files; pack them into an archive and use unpack`;
      findings.push({ ...toFinding(entry.path, complaint), limit: true });
    } else {
      for (const file of found) {
        const staged = await stageFile(entry, file, stage);
        if ('complaint' in staged) findings.push(toFinding(entry.path, staged.complaint));
        else inputs.push({ input: staged, path: entry.path });
      }
    }
  }
  return { inputs, findings };
}

const toFinding = (path: readonly PropertyKey[], message: string): Finding => ({
  path,
  message: `${formatPath(path)}: ${message}`,
});

interface Placed extends FoundFile {
  to: string;
}

/** Looks for the very name first, and takes it for a pattern when there is none and it can be one. */
async function findEntry(
  entry: Entry,
  { request, task }: Omit<Stage, 'hashes'>,
): Promise<Placed[] | { complaint: string }> {
  const fill = (template: Template, escape?: (value: string) => string): string =>
    renderTemplate(template, request.jobName, task ?? NO_TASK, escape);
  const to = entry.to === undefined ? undefined : fill(entry.to);
  // Without a template it has been checked in the file.
  const [wrongTo] = to === undefined || !entry.isTemplated ? [] : checkInside(['to'], to);
  if (wrongTo !== undefined) return { complaint: wrongTo.message };
  const text = fill(entry.text);
  if (entry.kind !== 'glob') {
    const found = await findByPath(text, request.directory);
    if (found !== undefined) return placeFound(entry, found, to);
  }
  const hasPattern =
    entry.kind === 'glob' ||
    (entry.kind === 'either' && entry.text.some((part) => typeof part === 'string' && isPattern(part)));
  if (!hasPattern) return { complaint: `there is no file or directory "${text}" in ${request.directory}` };
  const matches = await findByGlob(fill(entry.text, escapeGlob), request.directory);
  if (matches.length === 0) return { complaint: `no file matches "${text}" in ${request.directory}` };
  return matches.map((file) => ({
    ...file,
    to: to === undefined ? file.written : posix.join(to, file.below),
  }));
}

function placeFound(
  entry: Entry,
  { isDirectory, files }: { isDirectory: boolean; files: FoundFile[] },
  to: string | undefined,
): Placed[] | { complaint: string } {
  if (isDirectory && (entry.unpack || entry.sha256 !== undefined)) {
    return { complaint: `is a directory; ${entry.unpack ? 'unpack' : 'sha256'} is for one file` };
  }
  if (isDirectory && files.length === 0) return { complaint: 'the directory holds no file' };
  const place = (file: FoundFile): string => {
    if (entry.unpack) return trimSlash(to ?? '.');
    if (to === undefined) return file.written;
    return isDirectory || to.endsWith('/') || to === '.' ? posix.join(to, file.below) : posix.normalize(to);
  };
  return files.map((file) => ({ ...file, to: place(file) }));
}

const trimSlash = (path: string): string => posix.normalize(path).replace(/(.)\/+$/, '$1');

async function stageFile(
  entry: Entry,
  file: Placed,
  { hashes }: Stage,
): Promise<FileInput | { complaint: string }> {
  const hashed = await hashes.of(file.file);
  if ('complaint' in hashed) return hashed;
  if (entry.sha256 !== undefined && entry.sha256 !== hashed.sha256) {
    return { complaint: `the file hashes to ${hashed.sha256} and not to the sha256 given` };
  }
  const { sha256, sizeBytes, executable } = hashed;
  return { to: file.to, sha256, sizeBytes, executable, unpack: entry.unpack };
}

/** Two different files cannot be in one place, nor a file where another needs a directory. */
function checkDestinations(inputs: readonly Staged[], common: readonly Staged[]): Finding[] {
  const files = [...common, ...inputs].filter(({ input }) => !input.unpack);
  const taken = new Map<string, string>();
  const twice = files.flatMap(({ input, path }) => {
    const before = taken.get(input.to);
    taken.set(input.to, input.sha256);
    return before === undefined || before === input.sha256
      ? []
      : [toFinding(path, `another input is put at "${input.to}" too; give one of them its own to`)];
  });
  const blocked = files.flatMap(({ input, path }) => {
    const file = directoriesAbove(input.to).find((directory) => taken.has(directory));
    return file === undefined
      ? []
      : [toFinding(path, `"${input.to}" needs a directory where another input is the file "${file}"`)];
  });
  return [...twice, ...blocked];
}

/** `a/b/c` → `a`, `a/b`. */
const directoriesAbove = (path: string): string[] =>
  path.split('/').flatMap((_, at, parts) => (at === 0 ? [] : [parts.slice(0, at).join('/')]));

/** An entry without references looks at nothing of it. */
const NO_TASK: TaskContext = { jobId: '', index: 0, count: 1, params: {} };
