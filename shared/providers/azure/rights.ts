import type { Asked } from './errors.ts';

/** What is asked of a queue, and the right it takes: a built-in role, and the data action in it. */
const QUEUE_RIGHTS = {
  'send to': ['Storage Queue Data Message Sender', 'queues/messages/add/action'],
  'receive from': ['Storage Queue Data Message Processor', 'queues/messages/process/action'],
  count: ['Storage Queue Data Reader', 'queues/read, queues/messages/read'],
  make: ['Storage Queue Data Contributor', 'queues/write'],
  delete: ['Storage Queue Data Contributor', 'queues/delete'],
} as const satisfies Readonly<Record<string, readonly [role: string, action: string]>>;

const BLOB_RIGHTS = {
  read: ['Storage Blob Data Reader', 'containers/blobs/read'],
  list: ['Storage Blob Data Reader', 'containers/blobs/read'],
  write: ['Storage Blob Data Contributor', 'containers/blobs/write'],
  remove: ['Storage Blob Data Contributor', 'containers/blobs/delete'],
  'sign URLs for': ['Storage Blob Delegator', 'generateUserDelegationKey/action'],
  inspect: ['Storage Blob Data Reader', 'containers/read'],
  make: ['Storage Blob Data Contributor', 'containers/write'],
} as const satisfies Readonly<Record<string, readonly [role: string, action: string]>>;

export type QueueDoing = keyof typeof QUEUE_RIGHTS;
export type BlobDoing = keyof typeof BLOB_RIGHTS;

export function askedOfQueue(doing: QueueDoing, queue: string): Asked {
  const [role, action] = QUEUE_RIGHTS[doing];
  return {
    doing: `${doing} the queue ${queue}`,
    role,
    action: `Microsoft.Storage/storageAccounts/queueServices/${action}`,
  };
}

export function askedOfBlob(doing: BlobDoing, thing: string): Asked {
  const [role, action] = BLOB_RIGHTS[doing];
  return {
    doing: `${doing} ${thing}`,
    role,
    action: `Microsoft.Storage/storageAccounts/blobServices/${action}`,
  };
}
