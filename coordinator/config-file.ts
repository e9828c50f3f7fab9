import { existsSync, readFileSync } from 'node:fs';
import { ClobiError, messageOf } from '../shared/errors.ts';
import { type Locator, nowhere } from '../shared/job-file/positions.ts';
import { arrangeProblems, formatProblem, type Problem } from '../shared/job-file/problems.ts';
import { decodeText } from '../shared/job-file/read-text.ts';
import { readDocuments } from '../shared/job-file/yaml-text.ts';

/** `clobi.yaml` as plain values, with where each of them stands. Without a file: nothing, nowhere. */
export interface ConfigFile {
  path: string;
  raw: Record<string, unknown>;
  locator: Locator;
  /** Why it cannot be read at all; `raw` is empty then. */
  problems: Problem[];
}

export function readConfigFile(path: string): ConfigFile {
  const nothing = { path, raw: {}, locator: nowhere, problems: [] };
  if (!existsSync(path)) return nothing;
  const { text, problems } = decodeText(readBytes(path), path);
  if (problems.length > 0) return { ...nothing, problems };
  if (isBlank(text)) return nothing;
  const { documents, problems: unreadable } = readDocuments(text, path);
  const [document] = documents;
  if (unreadable.length > 0 || document === undefined) return { ...nothing, problems: unreadable };
  const { raw, locator } = document;
  if (documents.length > 1) return { ...nothing, problems: [problemAt(path, 'it must be one document')] };
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    return { ...nothing, problems: [problemAt(path, 'it must hold settings as "name: value" lines')] };
  return { path, raw: { ...raw }, locator, problems: [] };
}

/** The error that ends the reading of the configuration; `context.problems` has them one by one. */
export function configError(problems: readonly Problem[]): ClobiError {
  const arranged = arrangeProblems(problems);
  return new ClobiError('INVALID_CONFIG', arranged.map(formatProblem).join('\n'), {
    context: { problems: arranged },
  });
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ClobiError('INVALID_CONFIG', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** Nothing but space and comments. */
const isBlank = (text: string): boolean => text.split('\n').every((line) => /^\s*(#.*)?$/.test(line));

const problemAt = (file: string, message: string): Problem => ({ file, line: 1, column: 1, message });
