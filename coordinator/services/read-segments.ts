import { text } from 'node:stream/consumers';
import type { AgentId, BootId } from '../../shared/ids.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { outcomeSchema, type Outcome } from '../../shared/wire/event.ts';
import { segmentPrefix } from '../../shared/wire/keys.ts';

/** The whole object as text. Rejects with NOT_FOUND. */
export async function readText(store: ObjectStore, key: string): Promise<string> {
  const object = await store.get(key);
  return object === undefined ? '' : text(object.body);
}

/** The outcomes of one segment. A line that is no outcome of ours is left out and counted: its neighbours are facts. */
export async function readSegment(
  store: ObjectStore,
  key: string,
): Promise<{ outcomes: Outcome[]; badLines: number }> {
  const outcomes: Outcome[] = [];
  let badLines = 0;
  for (const line of (await readText(store, key)).split('\n')) {
    if (line === '') continue;
    const outcome = parseOutcome(line);
    if (outcome === undefined) badLines += 1;
    else outcomes.push(outcome);
  }
  return { outcomes, badLines };
}

const parseOutcome = (line: string): Outcome | undefined => outcomeSchema.safeParse(parseJson(line)).data;

/** Undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Every key with the prefix, in byte order, after `after`. */
export async function* listAll(store: ObjectStore, prefix: string, after?: string): AsyncGenerator<string> {
  for (let last = after; ; ) {
    const page = await store.list(prefix, last);
    for (const { key } of page) yield key;
    const next = page.at(-1)?.key;
    if (next === undefined) return;
    last = next;
  }
}

/** Outcomes that a boot has written after the segment `after`, in order, and the keys they were read from. */
export async function readSegmentsOf(
  store: ObjectStore,
  boot: { pool: string; agent: AgentId; boot: BootId },
  after: string | undefined,
): Promise<{ outcomes: Outcome[]; segments: string[] }> {
  const outcomes: Outcome[] = [];
  const segments: string[] = [];
  for await (const key of listAll(store, segmentPrefix(boot.pool, boot.agent, boot.boot), after)) {
    outcomes.push(...(await readSegment(store, key)).outcomes);
    segments.push(key);
  }
  return { outcomes, segments };
}
