import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { request } from 'node:http';
import { operationOf } from '../../../../shared/providers/azure/operations.ts';
import { pollDelayMs } from '../../../../shared/providers/azure/polling.ts';
import { impatientAgents } from '../../../../shared/providers/azure/agents.ts';

test('requests are named as Azure bills them', () => {
  const base = 'http://127.0.0.1:1/account';
  for (const [service, method, path, name] of [
    ['azure-queue', 'POST', '/q/messages?messagettl=-1', 'PutMessage'],
    ['azure-queue', 'GET', '/q/messages?numofmessages=32', 'GetMessages'],
    ['azure-queue', 'GET', '/q/messages?peekonly=true', 'PeekMessages'],
    ['azure-queue', 'PUT', '/q/messages/1-2?popreceipt=x', 'UpdateMessage'],
    ['azure-queue', 'DELETE', '/q/messages/1-2?popreceipt=x', 'DeleteMessage'],
    ['azure-queue', 'GET', '/q?comp=metadata', 'GetQueueMetadata'],
    ['azblob', 'PUT', '/c/some/blob', 'PutBlob'],
    ['azblob', 'PUT', '/c/some/blob?comp=block&blockid=x', 'PutBlock'],
    ['azblob', 'GET', '/c?restype=container&comp=list', 'ListBlobs'],
    ['azblob', 'POST', '/c?restype=container&comp=batch', 'BlobBatch'],
    ['azblob', 'PATCH', '/c?comp=new', 'PATCH new'],
  ] as const)
    assert.equal(operationOf(service, method, base + path), `${service}:${name}`);
});

test('an idle queue is looked at less and less, at least every second, and not by all at once', () => {
  const slowest = Array.from({ length: 12 }, (_, n) => pollDelayMs(n, 1));
  assert.deepEqual(slowest.slice(0, 6), [50, 100, 200, 400, 800, 1_000]);
  assert.equal(slowest.at(-1), 1_000);
  assert.equal(pollDelayMs(1_000_000, 1), 1_000);
  assert.equal(pollDelayMs(2, 0), 100);
});

test('a server that stops talking is noticed', { timeout: 30_000 }, async () => {
  await using server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { http } = impatientAgents({ connectMs: 5_000, silenceMs: 100 });
  const asked = request({ port, host: '127.0.0.1', agent: http }).end();
  const [error] = (await once(asked, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ETIMEDOUT');
  assert.match(error.message, /silence of 100 ms/);
});
