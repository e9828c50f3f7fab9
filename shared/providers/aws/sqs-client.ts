import { SQSClient } from '@aws-sdk/client-sqs';
import type { Meter } from '../meter.ts';
import type { CloudUrl } from '../url.ts';
import { checkRegion, clientFor, commonConfig, commonHandler } from './client.ts';

/**
 * The longest poll of one request. SQS would wait for 20 s, but who aborts a receive has to wait for its end: an aborted
 * request may swallow a message for as long as its lease (queue.ts).
 */
export const LONGEST_POLL_MS = 5_000;
/** From a request to its answer. */
const ANSWER_MS = LONGEST_POLL_MS + 10_000;

export function sqsClient(url: CloudUrl, meter: Meter): SQSClient {
  const region = checkRegion(url.host);
  return clientFor(
    url,
    meter,
    () =>
      new SQSClient({
        ...commonConfig(url, region),
        // Another server may name itself in queue URLs as we cannot reach it.
        useQueueUrlAsEndpoint: url.endpoint === undefined,
        requestHandler: { ...commonHandler(), requestTimeout: ANSWER_MS, throwOnRequestTimeout: true },
      }),
  );
}
