import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { isCode } from '../../shared/errors.ts';
import { type Outcome, outcomeSchema } from '../../shared/wire/event.ts';
import { type Verdict, verdictSchema } from '../../shared/wire/verdict.ts';
import type { ReadableStore } from './merged-store.ts';

/** The durable facts of a store: verdicts (ranges kept as ranges) and the outcomes of all segments. */
export interface Facts {
  verdicts: Verdict[];
  outcomes: Outcome[];
}

export async function readFacts(store: ReadableStore): Promise<Facts> {
  const verdicts = (await readLines(store, 'verdicts/')).map((line) => verdictSchema.parse(line));
  const outcomes = (await readLines(store, 'segments/')).map((line) => outcomeSchema.parse(line));
  return { verdicts, outcomes };
}

async function readLines(store: ReadableStore, prefix: string): Promise<unknown[]> {
  const lines: unknown[] = [];
  for (
    let page = await store.list(prefix);
    page.length > 0;
    page = await store.list(prefix, page.at(-1)!.key)
  ) {
    for (const { key } of page) {
      const object = await store.get(key);
      const body = object === undefined ? '' : await text(object.body);
      for (const line of body.split('\n')) if (line !== '') lines.push(JSON.parse(line));
    }
  }
  return lines;
}

/** Size and SHA-256 of an object as it is now; undefined when it is not there. */
export async function digest(
  store: ReadableStore,
  key: string,
): Promise<{ sizeBytes: number; sha256: string } | undefined> {
  try {
    const object = await store.get(key);
    if (object === undefined) return undefined;
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for await (const chunk of object.body as AsyncIterable<Buffer>) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
    return { sizeBytes, sha256: hash.digest('hex') };
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}
