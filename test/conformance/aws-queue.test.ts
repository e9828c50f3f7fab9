import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { openQueue } from '../../shared/providers/open.ts';
import type { Queue } from '../../shared/providers/ports.ts';
import { type Fauxqs, startFauxqs } from '../../infra/emulators/fauxqs.ts';
import { queueConformance, type QueueFixture } from './queue-suite.ts';

let server: Fauxqs;
before(async () => {
  server = await startFauxqs();
  Object.assign(process.env, server.env);
});
after(() => server[Symbol.asyncDispose]());

async function makeQueue(): Promise<QueueFixture> {
  const url = server.queueUrl(`clobi-${randomUUID()}-units`);
  const opened: Queue[] = [];
  const open = async (): Promise<Queue> => {
    const queue = await openQueue(url);
    opened.push(queue);
    return queue;
  };
  const dispose = async (): Promise<void> => {
    await Promise.all(opened.map((queue) => queue.close()));
  };
  return { url, open, dispose };
}

queueConformance('SQS (fauxqs)', makeQueue, {
  bmpOnly: true,
  otherProcesses: true,
  abortKeepsCount: true,
  staleDoneRejects: false,
  leaseMs: 1_000,
  wakeMs: 50,
});
