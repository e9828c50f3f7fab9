import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Submission } from '../job-spec.ts';
import { messageOf } from '../errors.ts';
import { compileSpec } from './compile.ts';
import { dependencyNames } from './depends.ts';
import type { Upload } from './hash-files.ts';
import { findMissingInputs, type StagedInputs, stageInputs } from './input-files.ts';
import { readTasks, type TaskSource } from './items.ts';
import { LIMITS } from './limits.ts';
import { type JobDocument, parseJobFile } from './parse.ts';
import { type Finding, type Problem, problemsError } from './problems.ts';
import { decodeText, tooLong } from './read-text.ts';

/** A job that can be submitted once its files are uploaded and the names it depends on are ids. */
export interface LoadedJob {
  name: string;
  submission: Submission;
  /** Contents that the store must have before the submit. */
  uploads: Upload[];
  /** Jobs of the same file that this one waits for: `resolveDependencies` puts their ids in. */
  dependsOnNames: string[];
}

export interface LoadOptions {
  /** Default: the user who runs this. */
  owner?: string;
}

/**
 * Reads a job file and everything that it names: files of items, inputs. Jobs come in an order in which each is
 * after those it waits for. Throws `INVALID_JOB`, or `LIMIT_EXCEEDED` when nothing else is wrong, with every
 * problem in the message, a line each, and in `context.problems`.
 */
export async function loadJobFile(path: string, options: LoadOptions = {}): Promise<LoadedJob[]> {
  const { text, problems } = await readText(path);
  if (problems.length > 0) throw problemsError(problems);
  const parsed = parseJobFile(text, path);
  return loadDocuments(parsed.documents, {
    ...options,
    file: path,
    directory: dirname(resolve(path)),
    problems: parsed.problems,
  });
}

export interface LoadContext extends LoadOptions {
  /** Names the file in problems. */
  file: string;
  /** What relative paths start from. */
  directory: string;
  /** Those of the text itself; more are found here, and all are thrown together. */
  problems: readonly Problem[];
}

export async function loadDocuments(
  documents: readonly JobDocument[],
  context: LoadContext,
): Promise<LoadedJob[]> {
  const problems = [...context.problems];
  const counts = new Map<string, number>();
  const jobs: LoadedJob[] = [];
  const names = new Set(documents.map(({ name }) => name));
  const owner = context.owner ?? currentUser();
  for (const document of documents) {
    const loaded = await loadDocument(document, context);
    counts.set(document.name, loaded.source.tasks.count);
    const findings = [
      ...loaded.source.findings,
      ...loaded.staged.findings,
      ...checkTaskwise(document, counts),
    ];
    problems.push(
      ...loaded.source.problems,
      ...findings.map((finding) => document.locator.locate(finding, context.file)),
    );
    if (problems.length > 0) continue;
    const { tasks, inputs, items, uploads } = loaded.staged;
    const spec = compileSpec(document.value, { name: document.name, owner, tasks, inputs });
    const dependsOnNames = dependencyNames(document.value).filter((name) => names.has(name));
    jobs.push({
      name: document.name,
      submission: { spec, ...(items && { items }) },
      uploads,
      dependsOnNames,
    });
  }
  if (problems.length > 0) throw problemsError(problems);
  return jobs;
}

interface LoadedDocument {
  source: TaskSource;
  staged: StagedInputs;
}

async function loadDocument(document: JobDocument, context: LoadContext): Promise<LoadedDocument> {
  const { name } = document;
  const { matrix: _matrix, ...withoutMatrix } = document.value;
  // A matrix with problems cannot be written out.
  const value = context.problems.length === 0 ? document.value : withoutMatrix;
  const source = await readTasks(value, context.directory);
  const { tasks, items } = source;
  const request = {
    file: value,
    jobName: name,
    directory: context.directory,
    tasks,
    ...(items && { items }),
  };
  const isWhole = context.problems.length + source.findings.length + source.problems.length === 0;
  // What will not be submitted need not be hashed, but files that are missing are named with the rest.
  if (isWhole) return { source, staged: await stageInputs(request) };
  return { source, staged: { inputs: [], tasks, uploads: [], findings: await findMissingInputs(request) } };
}

/** Index by index needs as many tasks on both sides. */
function checkTaskwise({ name, value }: JobDocument, counts: ReadonlyMap<string, number>): Finding[] {
  return (value.depends ?? []).flatMap((entry, index): Finding[] => {
    if (typeof entry === 'string' || entry.by !== 'tasks') return [];
    const [own, other] = [counts.get(name), counts.get(entry.job)];
    if (own === undefined || other === undefined || own === other) return [];
    const message = `depends[${index}].by: tasks by tasks needs as many on both sides; "${entry.job}" has ${other}, "${name}" has ${own}`;
    return [{ path: ['depends', index, 'by'], message }];
  });
}

async function readText(path: string): Promise<{ text: string; problems: Problem[] }> {
  try {
    const { size } = await stat(path);
    if (size > LIMITS.textBytes) return { text: '', problems: [tooLong(size, path)] };
    return decodeText(await readFile(path), path);
  } catch (error) {
    return {
      text: '',
      problems: [{ file: path, line: 0, column: 0, message: `cannot be read: ${describeReadError(error)}` }],
    };
  }
}

function describeReadError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  return code === 'EISDIR' ? 'it is a directory' : messageOf(error);
}

function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without a name, as in many containers.
    return process.env['USER'] ?? `uid-${process.getuid?.() ?? 0}`;
  }
}
