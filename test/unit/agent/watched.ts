import type { Delivery, ObjectStore, Queue } from '../../../shared/providers/ports.ts';
import { eventBatchSchema } from '../../../shared/wire/event.ts';

/** What may be made to fail. */
export type Failing = 'put' | 'send' | 'done' | 'slot' | 'get';

/** Sees what an agent does to the outside, in order, and may make it fail. */
export interface Watch {
  readonly ops: string[];
  receives: number;
  sent: number;
  /** Throws when the next such call is to fail. */
  fail(what: Failing): void;
}

/** The units queue: notes renewals and deletes. */
export function watchUnits(queue: Queue, watch: Watch): Queue {
  const watched = (delivery: Delivery): Delivery => ({
    body: delivery.body,
    receiveCount: delivery.receiveCount,
    extend: (leaseMs) => {
      watch.ops.push('extend');
      return delivery.extend(leaseMs);
    },
    done: async () => {
      watch.fail('done');
      watch.ops.push('delete');
      await delivery.done();
    },
  });
  return {
    capabilities: queue.capabilities,
    send: (bodies) => queue.send(bodies),
    receive: async (options) => {
      watch.receives += 1;
      return (await queue.receive(options)).map(watched);
    },
    depth: () => queue.depth(),
    ensure: () => queue.ensure(),
    close: async () => undefined,
  };
}

/** The events queue, with bodies as small as Azure's: notes what is sent. */
export function watchEvents(queue: Queue, watch: Watch): Queue {
  return {
    capabilities: { ...queue.capabilities, maxBodyBytes: 48 * 1024 },
    send: async (bodies) => {
      watch.fail('send');
      const types = bodies.flatMap((body) =>
        eventBatchSchema.parse(JSON.parse(body)).events.map(({ type }) => type),
      );
      const result = await queue.send(bodies);
      watch.sent += bodies.length;
      watch.ops.push(`send ${types.join(' ')}`);
      return result;
    },
    receive: (options) => queue.receive(options),
    depth: () => queue.depth(),
    ensure: () => queue.ensure(),
    close: async () => undefined,
  };
}

/** The store: notes what is put. */
export function watchStore(store: ObjectStore, watch: Watch): ObjectStore {
  return {
    capabilities: store.capabilities,
    put: async (key, body, options) => {
      watch.fail('put');
      const info = await store.put(key, body, options);
      watch.ops.push(`put ${key}`);
      return info;
    },
    get: (key, options) => {
      if (!key.startsWith('control/')) watch.fail('get');
      return store.get(key, options);
    },
    head: (key) => store.head(key),
    list: (prefix, after) => store.list(prefix, after),
    remove: (names) => store.remove(names),
    presign: async () => undefined,
  };
}
