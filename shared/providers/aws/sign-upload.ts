import type { PutObjectCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';
import type { SignedRequest } from '../direct.ts';
import { expirySeconds } from './presign.ts';

type HttpRequest = Parameters<SignatureV4['presign']>[0];

/** Headers that the SDK adds for itself. */
const OWN_HEADERS = [
  'amz-sdk-invocation-id',
  'amz-sdk-request',
  'x-amz-user-agent',
  'user-agent',
  'content-length',
  'content-type',
];

/**
 * A URL for one request, with the hash of its bytes signed. The SDK's own presigner always leaves the content unsigned, so
 * this one takes the request as the SDK makes it and signs it itself.
 */
export async function signUpload(
  client: S3Client,
  command: PutObjectCommand | UploadPartCommand,
  { sha256, expiresMs }: { sha256: string; expiresMs: number },
): Promise<SignedRequest> {
  const request = await requestOf(client, command);
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => !OWN_HEADERS.includes(name.toLowerCase())),
  );
  const signer = new SignatureV4({
    credentials: client.config.credentials,
    region: client.config.region,
    sha256: client.config.sha256,
    service: 's3',
    uriEscapePath: false,
    applyChecksum: false,
  });
  const signed = await signer.presign(
    { ...request, headers: { ...headers, host: hostOf(request), 'x-amz-content-sha256': sha256 } },
    { expiresIn: expirySeconds(expiresMs), unhoistableHeaders: new Set(['x-amz-content-sha256']) },
  );
  const { host: _, ...toSend } = signed.headers;
  return { method: 'PUT', url: urlOf(signed), headers: toSend };
}

/** What the SDK would send, before it is signed. */
async function requestOf(
  client: S3Client,
  command: PutObjectCommand | UploadPartCommand,
): Promise<HttpRequest> {
  let made: HttpRequest | undefined;
  const taken = new Error('taken');
  (command as unknown as Stoppable).middlewareStack.add(
    () =>
      async ({ request }) => {
        made = request;
        throw taken;
      },
    { step: 'build', priority: 'low', name: 'clobiTake' },
  );
  await (client.send as (command: unknown) => Promise<unknown>)
    .call(client, command)
    .catch((error: unknown) => {
      if (error !== taken) throw error;
    });
  if (made === undefined) throw new Error('the SDK made no request');
  return made;
}

interface Stoppable {
  middlewareStack: {
    add(
      middleware: () => (args: { request: HttpRequest }) => Promise<never>,
      options: { step: 'build'; priority: 'low'; name: string },
    ): void;
  };
}

const hostOf = ({ hostname, port }: HttpRequest): string =>
  port === undefined ? hostname : `${hostname}:${port}`;

function urlOf(request: HttpRequest): string {
  const query = Object.entries(request.query ?? {}).map(
    ([name, value]) => `${escapeText(name)}=${escapeText(String(value ?? ''))}`,
  );
  return `${request.protocol}//${hostOf(request)}${request.path}?${query.join('&')}`;
}

/** As the signature has it: all but letters, digits and `-_.~`. */
const escapeText = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
