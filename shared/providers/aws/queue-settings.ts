import { CreateQueueCommand, GetQueueAttributesCommand, type QueueAttributeName } from '@aws-sdk/client-sqs';
import { isCode } from '../../errors.ts';
import type { NamedQueue } from './queue-url.ts';
import { MAX_BYTES } from './queue-batches.ts';

export type Attributes = Partial<Record<QueueAttributeName, string>>;

/** The most SQS takes. Poison is judged by agents; a message that nobody could judge so often ends where a person looks. */
export const MAX_RECEIVES = 1_000;

/** What a queue of ours should be like. Retention is the longest there is: an expired message is a lost one. */
export const WANTED = {
  MessageRetentionPeriod: String(14 * 24 * 3600),
  MaximumMessageSize: String(MAX_BYTES),
  SqsManagedSseEnabled: 'true',
  ReceiveMessageWaitTimeSeconds: '20',
  VisibilityTimeout: '60',
  DelaySeconds: '0',
} as const satisfies Attributes;

/** `<ns>-<pool>-units` → `<ns>-<pool>-dead`; undefined for queues that need none. */
export function deadQueueOf(name: string): string | undefined {
  const base = /^(.+)-(units|events)$/.exec(name)?.[1];
  return base === undefined ? undefined : `${base}-dead`;
}

export const redrivePolicy = (deadArn: string): string =>
  JSON.stringify({ deadLetterTargetArn: deadArn, maxReceiveCount: MAX_RECEIVES });

/** Creates the queue, and the one for its dead letters, where they are missing. Many may do it at a time. */
export async function ensureQueue(queue: NamedQueue): Promise<void> {
  try {
    await readAttributes(queue, ['QueueArn']);
  } catch (error) {
    if (!isCode(error, 'NOT_FOUND')) throw error;
    await createQueue(queue);
  }
}

async function createQueue(queue: NamedQueue): Promise<void> {
  const dead = deadQueueOf(queue.name);
  const deadArn = dead === undefined ? undefined : await arnOf(queue.sibling(dead));
  const Attributes = {
    ...WANTED,
    ...(deadArn === undefined ? {} : { RedrivePolicy: redrivePolicy(deadArn) }),
  };
  await queue.create(() => queue.client.send(new CreateQueueCommand({ QueueName: queue.name, Attributes })));
}

/** Its ARN, of a queue that is made where it is missing. */
export async function arnOf(queue: NamedQueue): Promise<string> {
  await ensureQueue(queue);
  return (await readAttributes(queue, ['QueueArn'])).QueueArn ?? '';
}

export async function readAttributes(
  queue: NamedQueue,
  names: (QueueAttributeName | 'All')[],
): Promise<Attributes> {
  const { Attributes = {} } = await queue.ask('GetQueueAttributes', (QueueUrl) =>
    queue.client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: names })),
  );
  return Attributes;
}
