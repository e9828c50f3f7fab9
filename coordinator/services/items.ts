import { Readable } from 'node:stream';
import { ClobiError } from '../../shared/errors.ts';
import { faultPoint } from '../../shared/fault.ts';
import type { JobId } from '../../shared/ids.ts';
import { LIMITS } from '../../shared/job-file/limits.ts';
import { taskParamsSchema } from '../../shared/job-spec.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { itemsKey } from '../../shared/wire/keys.ts';
import type { ItemState } from '../state/store.ts';
import { asciiOnly, canonicalJson } from './canonical.ts';
import type { Context } from './context.ts';
import { type Lines, linesOf } from './lines.ts';
import { parseJson } from './read-segments.ts';
import { withContent } from './scratch.ts';

/** Parameters of tasks in their order, each as its canonical JSON. */
export type ItemBatches = AsyncIterable<readonly string[]> | Iterable<readonly string[]>;

/** Put into the state together: enough that a million are few transactions, few enough that nobody waits for one. */
const TOGETHER = { items: 16 * 1024, bytes: 1024 * 1024 };

/** Puts the items into the set as they come. Rejects with `INVALID_JOB` unless they are `count`. */
export async function takeItems(
  state: ItemState,
  from: { set: number; count: number; batches: ItemBatches },
): Promise<void> {
  let waiting: string[] = [];
  let bytes = 0;
  let sent = 0;
  const flush = (): void => {
    state.addItems(from.set, waiting);
    faultPoint('submit.after-part');
    waiting = [];
    bytes = 0;
  };
  for await (const batch of from.batches) {
    sent += batch.length;
    if (sent > from.count) throw wrongCount(from.count, 'more');
    for (const text of batch) {
      waiting.push(text);
      bytes += text.length;
      if (waiting.length >= TOGETHER.items || bytes >= TOGETHER.bytes) flush();
    }
  }
  if (sent !== from.count) throw wrongCount(from.count, sent);
  flush();
}

const wrongCount = (count: number, sent: number | 'more'): ClobiError =>
  new ClobiError('INVALID_JOB', `The job says ${count} items, but ${sent} were sent.`);

/** The items of the set become the job's object in the store. */
export async function putItems(
  { state, store, config }: Pick<Context, 'state' | 'store' | 'config'>,
  job: JobId,
  set: number,
): Promise<void> {
  const open = async (): Promise<Readable> => Readable.from(buffersOf(state.itemLines(set)));
  const { bytes } = state.itemSetSize(set);
  await withContent({ home: config.home, open, sizeBytes: bytes }, ({ body }) =>
    store.put(itemsKey(job), body),
  );
}

function* buffersOf(texts: Iterable<string>): Generator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

/** What `putItems` has put. Rejects with `NOT_FOUND`, and with `INVALID_JOB` when it is damaged. */
export async function* readItems(store: ObjectStore, job: JobId): AsyncGenerator<string[]> {
  const object = await store.get(itemsKey(job));
  if (object === undefined) return;
  for await (const lines of linesOf(object.body, () => LIMITS.itemLineBytes)) yield parseItems(lines);
}

/** Each line's parameters as canonical JSON; empty lines are none. Throws `INVALID_JOB` with the line's number. */
export function parseItems({ first, texts }: Lines): string[] {
  const items: string[] = [];
  for (const [at, text] of texts.entries())
    if (text !== '' && text !== '\r') items.push(canonicalItem(text, first + at));
  return items;
}

function canonicalItem(text: string, line: number): string {
  const value = parseLine(text, line);
  // Almost every item of a big array is a plain text: of a million, checking and sorting cost more than all the rest.
  if (isPlainText(value)) return asciiOnly(JSON.stringify(value));
  const { data, error } = taskParamsSchema.safeParse(value);
  if (data !== undefined) return canonicalJson(data);
  const problem =
    value === undefined
      ? 'it is no JSON'
      : error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ');
  throw new ClobiError(
    'INVALID_JOB',
    `Line ${line} holds no parameters of a task, such as {"item":"a"}: ${problem}. Nothing was submitted.`,
    { context: { line } },
  );
}

/** Undefined for no JSON. Throws `LIMIT_EXCEEDED` for what is nested so deep that whoever walks through it would fall. */
export function parseLine(text: string, line: number): unknown {
  const value = text.length > LONG_LINE && isDeepText(text) ? TOO_DEEP : parseJson(text);
  if (value !== TOO_DEEP && !isDeeper(value, LIMITS.depth)) return value;
  throw new ClobiError('LIMIT_EXCEEDED', `Line ${line} is nested deeper than ${LIMITS.depth} levels.`);
}

const TOO_DEEP = Symbol('too deep');
/** Characters. Some millions of brackets take seconds to parse: a longer line is looked through before. */
const LONG_LINE = 64 * 1024;

function isDeepText(json: string): boolean {
  let depth = 0;
  let isText = false;
  for (const [part] of json.matchAll(/\\.|["[\]{}]/g)) {
    if (part === '"') isText = !isText;
    else if (isText) continue;
    else if (part === ']' || part === '}') depth -= 1;
    else if ((depth += 1) > LIMITS.depth) return true;
  }
  return false;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1));
}

function isPlainText(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('item' in value)) return false;
  return typeof value.item === 'string' && Object.keys(value).length === 1;
}
