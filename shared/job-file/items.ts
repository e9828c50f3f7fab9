import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import type { JobSpec, TaskParams } from '../job-spec.ts';
import { countMatrix } from './expand.ts';
import { findByGlob } from './find-files.ts';
import { valueAt } from './interpolate.ts';
import { LIMITS } from './limits.ts';
import type { Finding, Problem } from './problems.ts';
import type { JobFile } from './schema.ts';
import { toMatrix } from './task-rules.ts';
import { explainLackingField, itemReferences, itemsFormat } from './template-rules.ts';

/** The tasks of a document, with the files read that it takes them from. */
export interface TaskSource {
  tasks: JobSpec['tasks'];
  items?: TaskParams[];
  /** Problems inside the file of items have their own place; findings are about the document. */
  problems: Problem[];
  findings: Finding[];
}

export async function readTasks(file: JobFile, directory: string): Promise<TaskSource> {
  const { array, matrix } = file;
  if (matrix !== undefined) {
    const compiled = toMatrix(matrix);
    return sound({ kind: 'matrix', count: countMatrix(compiled), matrix: compiled });
  }
  if (array?.items !== undefined) return fromItems(array.items.map((item) => ({ item })));
  if (array?.glob !== undefined) return readGlob(array.glob, directory);
  if (array?.fromFile !== undefined) return readItemsFile(file, array.fromFile, directory);
  return sound({ kind: 'count', count: array?.count ?? 1 });
}

const sound = (tasks: JobSpec['tasks']): TaskSource => ({ tasks, problems: [], findings: [] });
const fromItems = (items: TaskParams[]): TaskSource => ({
  ...sound({ kind: 'items', count: items.length }),
  items,
});
const unsound = (key: string, message: string, limit?: true): TaskSource => ({
  ...sound({ kind: 'count', count: 1 }),
  findings: [{ path: ['array', key], message: `array.${key}: ${message}`, ...(limit && { limit }) }],
});

async function readGlob(glob: string, directory: string): Promise<TaskSource> {
  const found = await findByGlob(glob, directory);
  if (found.length === 0) return unsound('glob', `no file matches "${glob}" in ${directory}`);
  if (found.length > LIMITS.tasks) return unsound('glob', `more than ${LIMITS.tasks} files match`, true);
  // A path that `inputs` finds again, also outside of the directory.
  const itemOf = (path: string): string => (isAbsolute(glob) ? path : relative(directory, path));
  return fromItems(found.map(({ file }) => ({ item: itemOf(file) })));
}

async function readItemsFile(file: JobFile, name: string, directory: string): Promise<TaskSource> {
  const path = resolve(directory, name);
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true) return unsound('fromFile', `there is no file "${name}" in ${directory}`);
  if (info.size > LIMITS.itemsFileBytes) {
    return unsound(
      'fromFile',
      `"${name}" has ${info.size} bytes, more than the ${LIMITS.itemsFileBytes} of a file of items`,
      true,
    );
  }
  const bytes = await readFile(path);
  if (!isUtf8(bytes)) return unsound('fromFile', `"${name}" is not UTF-8 text`);
  const isJson = file.array !== undefined && itemsFormat(file.array) === 'jsonl';
  const { items, problems } = readItems(bytes, name, isJson);
  if (problems.length > 0) return { ...fromItems(items), problems };
  if (items.length === 0) return unsound('fromFile', `"${name}" has no line that is not empty`);
  if (items.length > LIMITS.tasks)
    return unsound('fromFile', `"${name}" has more than ${LIMITS.tasks} lines`, true);
  return { ...fromItems(items), findings: isJson ? checkFields(file, items) : [] };
}

/** Line by line from the bytes: a million lines as one string, and then as an array, would be held twice. */
function readItems(
  bytes: Buffer,
  file: string,
  isJson: boolean,
): { items: TaskParams[]; problems: Problem[] } {
  const items: TaskParams[] = [];
  const problems: Problem[] = [];
  let line = 0;
  for (let start = bytes[0] === 0xef && bytes[1] === 0xbb ? 3 : 0; start < bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const end = newline === -1 ? bytes.length : newline;
    const text = bytes.toString('utf8', start, bytes[end - 1] === 13 && end > start ? end - 1 : end);
    line += 1;
    const wrong =
      end - start > LIMITS.itemBytes
        ? { message: tooLong(end - start), limit: true as const }
        : readItem(text, isJson, items);
    if (wrong !== undefined) problems.push({ file, line, column: 1, ...wrong });
    if (problems.length > LIMITS.problems) break;
    start = end + 1;
  }
  return { items, problems };
}

const tooLong = (length: number): string =>
  `an item of ${length} bytes is longer than ${LIMITS.itemBytes}; put it into a file and list that in inputs`;

function readItem(text: string, isJson: boolean, items: TaskParams[]): { message: string } | undefined {
  if (text.trim() === '') return undefined;
  if (text.includes('\0')) return { message: 'a NUL character: is this a text file?' };
  if (!isJson) {
    items.push({ item: text });
    return undefined;
  }
  const item = parseJson(text);
  if (item === undefined)
    return { message: 'this line is no JSON; in the format jsonl each line is one JSON value' };
  if (item === null || Array.isArray(item))
    return { message: 'an item must be text, a number, true, false or a map' };
  items.push({ item: item as NonNullable<TaskParams['item']> });
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function checkFields(file: JobFile, items: readonly TaskParams[]): Finding[] {
  return itemReferences(file).flatMap(({ path, reference }): Finding[] => {
    const [, ...rest] = reference.path;
    const lacking = rest.length === 0 ? -1 : items.findIndex(({ item }) => valueAt(item, rest) === undefined);
    if (lacking === -1) return [];
    const message = explainLackingField(rest, items[lacking]?.item, lacking);
    return [{ path, message, inside: { text: '${{', occurrence: reference.occurrence } }];
  });
}
