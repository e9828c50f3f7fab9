import { toCompatResponse } from '@azure/core-http-compat';
import {
  type RequestBodyType,
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineRequest,
} from '@azure/core-rest-pipeline';
import type { IHttpClient } from '@azure/storage-queue';
import { ClobiError } from '../../errors.ts';
import type { Meter } from '../meter.ts';
import type { CloudUrl } from '../url.ts';
import { agentFor } from './agents.ts';
import { type Service, operationOf } from './operations.ts';

/**
 * The SDK's own retries, the only ones below ours: at once, then after 300 and 900 ms. A request may thus be done twice when
 * its answer is lost.
 */
const RETRIES = { maxTries: 3, retryDelayInMs: 300, maxRetryDelayInMs: 2_000 };

interface Wire {
  httpClient: IHttpClient;
  retryOptions: typeof RETRIES;
  userAgentOptions: { userAgentPrefix: string };
}

/** Options for every client of the SDK: few retries, connections that notice silence, each try counted. */
export const wireOptions = (service: Service, meter: Meter): Wire => ({
  httpClient: meteredClient(service, meter),
  retryOptions: { ...RETRIES },
  userAgentOptions: { userAgentPrefix: 'clobi' },
});

const transport = createDefaultHttpClient();

/** Lies below the retries of the SDK, so that it sees each request that goes out. */
function meteredClient(service: Service, meter: Meter): IHttpClient {
  return {
    sendRequest: async (request) => {
      meter.count(operationOf(service, request.method, request.url));
      const { url, method, timeout, abortSignal, requestId, streamResponseStatusCodes } = request;
      // Bytes, text, or a function that begins a stream of them anew.
      const body = request.body as RequestBodyType | undefined;
      const outgoing = createPipelineRequest({
        url,
        method,
        timeout,
        requestId,
        headers: createHttpHeaders(request.headers.toJson({ preserveCase: true })),
        allowInsecureConnection: true,
        ...(body === undefined ? {} : { body }),
        ...(abortSignal === undefined ? {} : { abortSignal }),
        ...(streamResponseStatusCodes === undefined ? {} : { streamResponseStatusCodes }),
      });
      // Given among the options it would be dropped.
      outgoing.agent = request.agent ?? agentFor(url);
      const response = await transport.sendRequest(outgoing);
      return { ...toCompatResponse(response), request };
    },
  };
}

/** `https://ACCOUNT.queue.core.windows.net`, or the endpoint the URL names (which then includes the account where its server wants that). */
export const endpointOf = (url: CloudUrl, service: Service): string =>
  url.endpoint ?? `https://${accountName(url)}.${service === 'azblob' ? 'blob' : 'queue'}.core.windows.net`;

function accountName({ host }: CloudUrl): string {
  if (/^[a-z0-9]{3,24}$/.test(host)) return host;
  throw new ClobiError(
    'INVALID_CONFIG',
    `"${host}" is no name of a storage account: 3 to 24 small letters and digits, without its domain.`,
  );
}
