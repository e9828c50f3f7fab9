import { DeleteQueueCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { isCode } from '../../errors.ts';
import { checkProbe, type Difference, type Manager } from '../manage.ts';
import { RequestCounts } from '../meter.ts';
import type { CloudUrl } from '../url.ts';
import { clockDifference, watchDates } from './clock-skew.ts';
import {
  type Attributes,
  arnOf,
  deadQueueOf,
  ensureQueue,
  MAX_RECEIVES,
  readAttributes,
  redrivePolicy,
  WANTED,
} from './queue-settings.ts';
import { NamedQueue } from './queue-url.ts';
import { sqsClient } from './sqs-client.ts';

/** A wait between receives costs requests; a redelivery before an agent's first renewal costs a loss. */
const CHECKS: readonly Check[] = [
  {
    name: 'MessageRetentionPeriod',
    setting: 'retention',
    gravity: 'failed',
    isRight: (is) => Number(is) >= Number(WANTED.MessageRetentionPeriod),
    say: (is) => `${Number(is) / 86_400} days`,
  },
  {
    name: 'MaximumMessageSize',
    setting: 'message-size',
    gravity: 'failed',
    isRight: (is) => Number(is) >= Number(WANTED.MaximumMessageSize),
    say: (is) => `${Number(is) / 1_024} KiB`,
  },
  {
    name: 'SqsManagedSseEnabled',
    setting: 'encryption',
    gravity: 'warning',
    isRight: (is, { KmsMasterKeyId = '' }) => is === 'true' || KmsMasterKeyId !== '',
    say: (is) => (is === 'true' ? 'by a key of SQS' : 'none'),
  },
  {
    name: 'DelaySeconds',
    setting: 'delay',
    gravity: 'warning',
    isRight: (is) => Number(is ?? 0) === 0,
    say: (is) => `${String(is ?? 0)} s`,
  },
  {
    name: 'ReceiveMessageWaitTimeSeconds',
    setting: 'long-poll',
    gravity: 'warning',
    isRight: (is) => Number(is) > 0,
    say: (is) => `${String(is)} s`,
  },
  {
    name: 'VisibilityTimeout',
    setting: 'visibility',
    gravity: 'warning',
    isRight: (is) => Number(is) >= 30,
    say: (is) => `${String(is)} s`,
  },
];

interface Check {
  name: keyof typeof WANTED;
  setting: string;
  gravity: Difference['gravity'];
  isRight: (is: string | undefined, all: Attributes) => boolean;
  /** As a person reads it. */
  say: (value: string | undefined) => string;
}

/** The settings of a queue, and of the queue for its dead letters. */
export class SqsManager implements Manager {
  readonly #queue: NamedQueue;
  #date: string | undefined;

  private constructor(url: CloudUrl) {
    // A client of its own: its answers are watched for the time they name.
    const client = sqsClient(url, new RequestCounts());
    watchDates(client, (date) => (this.#date = date ?? this.#date));
    this.#queue = new NamedQueue(client, url);
  }

  static open(url: CloudUrl): SqsManager {
    return new SqsManager(url);
  }

  async inspect(): Promise<Difference[]> {
    const dead = deadQueueOf(this.#queue.name);
    const found = [
      ...(await this.#inspectOne(this.#queue)),
      ...(dead === undefined ? [] : await this.#inspectOne(this.#queue.sibling(dead))),
    ];
    const clock = clockDifference(`queue ${this.#queue.name}`, this.#date, Date.now());
    return [...(clock === undefined ? [] : [clock]), ...found].sort(byGravity);
  }

  async mend(differences: readonly Difference[]): Promise<void> {
    const dead = deadQueueOf(this.#queue.name);
    if (dead !== undefined) await this.#mendOne(this.#queue.sibling(dead), differences);
    await this.#mendOne(this.#queue, differences);
  }

  async removeProbe(): Promise<void> {
    checkProbe(this.#queue.name);
    try {
      await this.#queue.ask('DeleteQueue', (QueueUrl) =>
        this.#queue.client.send(new DeleteQueueCommand({ QueueUrl })),
      );
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND')) throw error;
    }
  }

  async #inspectOne(queue: NamedQueue): Promise<Difference[]> {
    const thing = `queue ${queue.name}`;
    try {
      const is = await readAttributes(queue, ['All']);
      return [
        ...CHECKS.filter(({ name, isRight }) => !isRight(is[name], is)).map((check) => ({
          thing,
          setting: check.setting,
          is: check.say(is[check.name]),
          shouldBe: check.say(WANTED[check.name]),
          fix: FIX,
          gravity: check.gravity,
          mendable: true,
        })),
        ...this.#inspectRedrive(queue, is),
      ];
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND')) throw error;
      const missing = { thing, setting: 'exists', is: 'missing', shouldBe: 'there', fix: FIX };
      return [{ ...missing, gravity: 'failed', mendable: true }];
    }
  }

  #inspectRedrive(queue: NamedQueue, { RedrivePolicy }: Attributes): Difference[] {
    const dead = deadQueueOf(queue.name);
    if (dead === undefined) return [];
    const { target, count } = readRedrive(RedrivePolicy);
    if (target.endsWith(`:${dead}`) && count >= LEAST_RECEIVES) return [];
    return [
      {
        thing: `queue ${queue.name}`,
        setting: 'dead-letters',
        is: target === '' ? 'kept for ever' : `after ${count} receives to ${target}`,
        shouldBe: `after ${MAX_RECEIVES} receives to ${dead}`,
        fix: FIX,
        // A message that was received a few times by agents that stopped would be taken for poison.
        gravity: target === '' ? 'warning' : 'failed',
        mendable: true,
      },
    ];
  }

  async #mendOne(queue: NamedQueue, differences: readonly Difference[]): Promise<void> {
    const settings = differences
      .filter(({ thing, mendable }) => mendable && thing === `queue ${queue.name}`)
      .map(({ setting }) => setting);
    if (settings.includes('exists')) return ensureQueue(queue);
    const Attributes: Attributes = Object.fromEntries(
      CHECKS.filter(({ setting }) => settings.includes(setting)).map(({ name }) => [name, WANTED[name]]),
    );
    const dead = deadQueueOf(queue.name);
    if (dead !== undefined && settings.includes('dead-letters'))
      Attributes.RedrivePolicy = redrivePolicy(await arnOf(queue.sibling(dead)));
    if (Object.keys(Attributes).length === 0) return;
    await queue.ask('SetQueueAttributes', (QueueUrl) =>
      queue.client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes })),
    );
  }
}

const FIX = 'clobi pool ensure';
/** Fewer would make a few agents that stop one after the other look like poison. */
const LEAST_RECEIVES = 100;

function readRedrive(policy: string | undefined): { target: string; count: number } {
  try {
    const { deadLetterTargetArn = '', maxReceiveCount = 0 } = JSON.parse(policy ?? '{}') as {
      deadLetterTargetArn?: string;
      maxReceiveCount?: number | string;
    };
    return { target: deadLetterTargetArn, count: Number(maxReceiveCount) };
  } catch {
    return { target: '', count: 0 };
  }
}

const byGravity = (a: Difference, b: Difference): number =>
  Number(a.gravity === 'warning') - Number(b.gravity === 'warning');
