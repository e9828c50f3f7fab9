/**
 * The name that Azure gives to what a request does, with its service (`azure-queue:PutMessage`, `azblob:PutBlob`): its bills
 * and logs use the same. Read from the request itself, so that whatever the SDK sends is counted.
 */
export type Service = 'azure-queue' | 'azblob';

export function operationOf(service: Service, method: string, url: string): string {
  const { pathname, searchParams } = new URL(url);
  const what = [searchParams.get('restype'), searchParams.get('comp')]
    .filter((part) => part !== null)
    .join(' ');
  const name =
    service === 'azblob' ? blobOperation(method, what) : queueOperation(method, what, pathname, searchParams);
  return `${service}:${name}`;
}

function queueOperation(method: string, what: string, path: string, query: URLSearchParams): string {
  if (/\/messages$/.test(path)) {
    if (method === 'POST') return 'PutMessage';
    if (method === 'DELETE') return 'ClearMessages';
    return query.get('peekonly') === 'true' ? 'PeekMessages' : 'GetMessages';
  }
  if (/\/messages\/[^/]+$/.test(path)) return method === 'DELETE' ? 'DeleteMessage' : 'UpdateMessage';
  return QUEUE_OPERATIONS[`${method} ${what}`.trim()] ?? `${method} ${what}`.trim();
}

const blobOperation = (method: string, what: string): string =>
  BLOB_OPERATIONS[`${method} ${what}`.trim()] ?? `${method} ${what}`.trim();

const QUEUE_OPERATIONS: Readonly<Record<string, string>> = {
  PUT: 'CreateQueue',
  DELETE: 'DeleteQueue',
  'GET metadata': 'GetQueueMetadata',
  'GET service properties': 'GetQueueServiceProperties',
};

const BLOB_OPERATIONS: Readonly<Record<string, string>> = {
  PUT: 'PutBlob',
  GET: 'GetBlob',
  HEAD: 'GetBlobProperties',
  DELETE: 'DeleteBlob',
  'PUT block': 'PutBlock',
  'PUT blocklist': 'PutBlockList',
  'GET blocklist': 'GetBlockList',
  'GET container list': 'ListBlobs',
  'POST container batch': 'BlobBatch',
  'PUT container': 'CreateContainer',
  'GET container': 'GetContainerProperties',
  'PUT container acl': 'SetContainerACL',
  'GET account properties': 'GetAccountInformation',
  'GET service properties': 'GetBlobServiceProperties',
  'POST service userdelegationkey': 'GetUserDelegationKey',
};
