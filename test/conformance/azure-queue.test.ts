import { randomUUID } from 'node:crypto';
import { after } from 'node:test';
import { openQueue } from '../../shared/providers/open.ts';
import type { Queue } from '../../shared/providers/ports.ts';
import { startAzurite } from '../../infra/emulators/azurite.ts';
import { type QueueFixture, queueConformance } from './queue-suite.ts';

const azurite = await startAzurite();
Object.assign(process.env, azurite.env);
after(() => azurite[Symbol.asyncDispose]());

queueConformance('azure', makeQueue, {
  otherProcesses: true,
  abortKeepsCount: true,
  staleDoneRejects: true,
  leaseMs: 1_000,
  wakeMs: 100,
  crowd: 200,
});

async function makeQueue(): Promise<QueueFixture> {
  const url = azurite.queueUrl(`q-${randomUUID()}`);
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
