import { MemoryQueue } from '../../shared/providers/memory/queue.ts';
import { MemoryStore } from '../../shared/providers/memory/store.ts';
import { queueConformance } from './queue-suite.ts';
import { storeConformance } from './store-suite.ts';

queueConformance(
  'memory',
  async () => {
    const queue = new MemoryQueue();
    return { url: '', open: async () => queue, dispose: () => queue.close() };
  },
  { otherProcesses: false, abortKeepsCount: true, staleDoneRejects: true, leaseMs: 200, wakeMs: 1 },
);

storeConformance(
  'memory',
  async () => {
    const store = new MemoryStore();
    return { url: '', open: async () => store, dispose: async () => undefined };
  },
  { otherProcesses: false },
);
