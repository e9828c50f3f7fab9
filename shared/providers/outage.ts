import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClobiError, ERROR_KINDS, type ErrorCode } from '../errors.ts';
import type { Delivery, ObjectStore, Queue } from './ports.ts';

/**
 * Outages that a test switches on and off while processes run. With CLOBI_OUTAGES=<directory>, every call on a queue or
 * store first looks for the file of its name there (the last part of its URL: `clobi-aws-units`, `store`). While there is
 * one, the call fails as its words say: `[lost] CODE [operation…]`; `lost` does the call and loses the answer. Without
 * the variable nothing is wrapped.
 */
const directory = process.env['CLOBI_OUTAGES'] ?? '';

interface Outage {
  lost: boolean;
  error: ClobiError;
}

export function withQueueOutages(url: string, queue: Queue): Queue {
  if (directory === '') return queue;
  const call = callerOf(url);
  const deliver = (delivery: Delivery): Delivery => ({
    body: delivery.body,
    receiveCount: delivery.receiveCount,
    extend: (leaseMs) => call('extend', () => delivery.extend(leaseMs)),
    done: () => call('done', () => delivery.done()),
  });
  return {
    capabilities: queue.capabilities,
    send: (bodies) => call('send', () => queue.send(bodies)),
    receive: async (options) =>
      (await call('receive', () => receiveInParts(url, queue, options))).map((delivery) => deliver(delivery)),
    depth: () => call('depth', () => queue.depth()),
    ensure: () => call('ensure', () => queue.ensure()),
    close: () => queue.close(),
  };
}

export function withStoreOutages(url: string, store: ObjectStore): ObjectStore {
  if (directory === '') return store;
  const call = callerOf(url);
  return {
    capabilities: store.capabilities,
    direct: store.direct,
    put: (key, body, options) => call('put', () => store.put(key, body, options)),
    get: (key, options) => call('get', () => store.get(key, options)),
    head: (key) => call('head', () => store.head(key)),
    list: (prefix, after) => call('list', () => store.list(prefix, after)),
    remove: (keys) => call('remove', () => store.remove(keys)),
    presign: (method, key, expiresMs) => call('presign', () => store.presign(method, key, expiresMs)),
  };
}

/** A receive that waits notices an outage that begins meanwhile, as a broken connection would. */
async function receiveInParts(
  url: string,
  queue: Queue,
  options: Parameters<Queue['receive']>[0],
): Promise<Delivery[]> {
  const deadline = Date.now() + options.waitMs;
  for (;;) {
    const left = deadline - Date.now();
    const deliveries = await queue.receive({ ...options, waitMs: Math.max(0, Math.min(200, left)) });
    if (deliveries.length > 0 || left <= 200 || options.signal?.aborted === true) return deliveries;
    failIfOut(outageOf(url, 'receive'));
  }
}

const callerOf =
  (url: string) =>
  async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    const outage = outageOf(url, operation);
    if (outage?.lost === true) await work();
    failIfOut(outage);
    return work();
  };

function failIfOut(outage: Outage | undefined): void {
  if (outage !== undefined) throw outage.error;
}

function outageOf(url: string, operation: string): Outage | undefined {
  const name = nameOf(url);
  const words = readWords(join(directory, name));
  if (words === undefined) return undefined;
  const lost = words[0] === 'lost';
  const [code = 'UNAVAILABLE', ...operations] = lost ? words.slice(1) : words;
  if (operations.length > 0 && !operations.includes(operation)) return undefined;
  const known: ErrorCode = code in ERROR_KINDS ? (code as ErrorCode) : 'UNAVAILABLE';
  return { lost, error: new ClobiError(known, `${name} is out, as the test wants it.`) };
}

const nameOf = (url: string): string => url.replace(/\?.*$/, '').replace(/^.*[/:]/, '');

function readWords(file: string): string[] | undefined {
  try {
    return readFileSync(file, 'utf8')
      .split(/\s+/)
      .filter((word) => word !== '');
  } catch {
    return undefined;
  }
}
