import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { ClobiError, isCode, messageOf } from '../../../../shared/errors.ts';
import { RequestCounts } from '../../../../shared/providers/meter.ts';
import { openQueue } from '../../../../shared/providers/open.ts';
import { type Asked, json, startAnswering } from '../../../helpers/answering.ts';
import { waitFor } from '../../../helpers/wait.ts';

Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' });

const NAME = 'clobi-aws-units';
const urlOf = (endpoint: string): string => `sqs://eu-central-1/${NAME}?endpoint=${endpoint}`;
const operationOf = ({ headers }: Asked): string => String(headers['x-amz-target']).replace('AmazonSQS.', '');
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** A queue whose server answers as given; where the queue is, it always knows. */
async function withQueue(answer: (operation: string, response: ServerResponse, asked: Asked) => void) {
  const server = await startAnswering((asked, response) => {
    const operation = operationOf(asked);
    if (operation === 'GetQueueUrl') json(response, 200, { QueueUrl: `${server.endpoint}/1/${NAME}` });
    else answer(operation, response, asked);
  });
  const meter = new RequestCounts();
  const queue = await openQueue(urlOf(server.endpoint), { meter });
  return { server, meter, queue, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const refusal = (response: ServerResponse, status: number, type: string, message = 'said so'): void =>
  json(response, status, { __type: `com.amazonaws.sqs#${type}`, message });

test('an answer of 200 may hold failures: each body has its own result', async () => {
  await using room = await withQueue((_operation, response, { body }) => {
    const { Entries } = JSON.parse(body.toString()) as { Entries: { Id: string; MessageBody: string }[] };
    json(response, 200, {
      Successful: Entries.slice(2).map(({ Id, MessageBody }) => ({
        Id,
        MessageId: 'm',
        MD5OfMessageBody: md5(MessageBody),
      })),
      Failed: [
        { Id: '0', Code: 'InternalError', Message: 'ours', SenderFault: false },
        { Id: '1', Code: 'AccessDenied', Message: 'yours', SenderFault: true },
      ],
    });
  });
  const results = await room.queue.send(['a', 'b', 'c']);
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : `${(result.cause as ClobiError).code} ${result.retryable}`)),
    ['UNAVAILABLE true', 'CLOUD_AUTH false', 'ok'],
  );
});

test('refusals are told apart, with the action to allow', async () => {
  const cases: [number, string, string, RegExp][] = [
    [
      403,
      'AccessDeniedException',
      'CLOUD_AUTH',
      /sqs:GetQueueAttributes on arn:aws:sqs:eu-central-1:\*:clobi-aws-units/,
    ],
    [403, 'InvalidClientTokenId', 'CLOUD_AUTH', /does not take the credentials found by credentials=default/],
    [403, 'ExpiredToken', 'CLOUD_AUTH', /Renew/],
    [400, 'RequestThrottled', 'THROTTLED', /fewer requests/],
    [403, 'OverLimit', 'CLOUD_QUOTA', /limit of the AWS account/],
    [400, 'QueueDoesNotExist', 'NOT_FOUND', /clobi pool ensure/],
    [503, 'ServiceUnavailable', 'UNAVAILABLE', /did not answer/],
    [400, 'InvalidAddress', 'INTERNAL', /did not understand/],
  ];
  for (const [status, type, code, message] of cases) {
    await using room = await withQueue((_operation, response) => refusal(response, status, type));
    await assert.rejects(room.queue.depth(), (error) => {
      assert.ok(error instanceof ClobiError && error.code === code, `${type}: ${messageOf(error)}`);
      assert.match(error.message, message);
      assert.ok(error.cause instanceof Error, 'keeps its cause');
      return true;
    });
  }
});

test('each request on the wire is counted, those that the SDK makes again as well', async () => {
  let failures = 0;
  await using room = await withQueue((_operation, response) => {
    failures += 1;
    if (failures <= 2) refusal(response, 503, 'ServiceUnavailable');
    else json(response, 200, { Attributes: { ApproximateNumberOfMessages: '7' } });
  });
  assert.equal(await room.queue.depth(), 7);
  assert.deepEqual(room.meter.totals(), { 'sqs:GetQueueUrl': 1, 'sqs:GetQueueAttributes': 3 });
  assert.equal(room.server.asked.length, 4);
});

test('a poll that comes back empty at once, as at the cap of leased messages, is not asked like mad', async () => {
  await using room = await withQueue((_operation, response) => json(response, 200, {}));
  assert.deepEqual(await room.queue.receive({ max: 1, waitMs: 1_000, leaseMs: 1_000 }), []);
  const polls = room.meter.totals()['sqs:ReceiveMessage'] ?? 0;
  assert.ok(polls >= 2 && polls <= 6, `${polls} polls in a second`);
});

test('an aborted receive waits for the poll under way and hands over what came', async () => {
  let late: ServerResponse | undefined;
  await using room = await withQueue((_operation, response) => (late = response));
  const abort = new AbortController();
  const receiving = room.queue.receive({ max: 1, waitMs: 5_000, leaseMs: 60_000, signal: abort.signal });
  const response = await waitFor('the poll is under way', () => late);
  abort.abort();
  const Attributes = { ApproximateReceiveCount: '3' };
  const message = { MessageId: 'm', Body: 'hello', MD5OfBody: md5('hello'), ReceiptHandle: 'r', Attributes };
  json(response, 200, { Messages: [message] });
  const [delivery] = await receiving;
  assert.deepEqual([delivery?.body, delivery?.receiveCount], ['hello', 3]);
  assert.equal(room.meter.totals()['sqs:ReceiveMessage'], 1);
});

test('messages done together cost one request, and one may fail alone', async () => {
  const bodies = ['a', 'b', 'c'];
  await using room = await withQueue((operation, response) => {
    if (operation === 'DeleteMessageBatch') {
      json(response, 200, {
        Successful: [{ Id: '0' }],
        Failed: [
          { Id: '1', Code: 'ReceiptHandleIsInvalid', SenderFault: true },
          { Id: '2', Code: 'InternalError', SenderFault: false },
        ],
      });
      return;
    }
    json(response, 200, {
      Messages: bodies.map((Body) => ({ MessageId: Body, Body, MD5OfBody: md5(Body), ReceiptHandle: Body })),
    });
  });
  const deliveries = await room.queue.receive({ max: 10, waitMs: 0, leaseMs: 60_000 });
  const results = await Promise.allSettled(deliveries.map((delivery) => delivery.done()));
  assert.deepEqual(
    results.map((result) => (result.status === 'rejected' ? (result.reason as ClobiError).code : 'done')),
    ['done', 'LEASE_LOST', 'UNAVAILABLE'],
  );
  assert.equal(room.meter.totals()['sqs:DeleteMessageBatch'], 1);
});

test('a lease ends 12 hours after the receive, and one that went to another is lost', async () => {
  const failures = [
    { Code: 'InvalidParameterValue', Message: 'Total VisibilityTimeout for the message is beyond the limit' },
    { Code: 'MessageNotInflight', Message: 'It is not in flight' },
    {
      Code: 'InvalidParameterValue',
      Message: 'Reason: Message does not exist or is not available for visibility timeout change.',
    },
  ];
  await using room = await withQueue((operation, response) => {
    if (operation === 'ChangeMessageVisibilityBatch') {
      json(response, 200, {
        Successful: [],
        Failed: [{ Id: '0', SenderFault: true, ...failures.shift() }],
      });
      return;
    }
    json(response, 200, {
      Messages: [{ MessageId: 'm', Body: 'a', MD5OfBody: md5('a'), ReceiptHandle: 'r' }],
    });
  });
  const [delivery] = await room.queue.receive({ max: 1, waitMs: 0, leaseMs: 60_000 });
  await assert.rejects(delivery!.extend(60_000), (error) => isCode(error, 'LIMIT_EXCEEDED'));
  await assert.rejects(delivery!.extend(60_000), (error) => isCode(error, 'LEASE_LOST'));
  await assert.rejects(delivery!.extend(60_000), (error) => isCode(error, 'LEASE_LOST'));
  await assert.rejects(delivery!.extend(12 * 3_600_000), (error) => isCode(error, 'LIMIT_EXCEEDED'));
});

test('a queue whose lookup failed is looked up again', async () => {
  let there = false;
  const server = await startAnswering((asked, response) => {
    if (operationOf(asked) !== 'GetQueueUrl') json(response, 200, { Attributes: {} });
    else if (there) json(response, 200, { QueueUrl: `${server.endpoint}/1/${NAME}` });
    else refusal(response, 400, 'QueueDoesNotExist');
  });
  await using _ = server;
  const queue = await openQueue(urlOf(server.endpoint), { meter: new RequestCounts() });
  await assert.rejects(queue.depth(), (error) => isCode(error, 'NOT_FOUND'));
  there = true;
  assert.equal(await queue.depth(), 0);
});
