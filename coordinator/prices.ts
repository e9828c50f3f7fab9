/**
 * What a request costs, in USD: list prices without free tiers, discounts, storage and traffic, for the cheapest common
 * choice (SQS standard queues and S3 Standard in us-east-1; Azure general purpose v2, LRS, hot tier, East US). SQS bills each
 * 64 KiB of a request as one; here a request is one. Sources, as of 2026-11: aws.amazon.com/sqs/pricing,
 * aws.amazon.com/s3/pricing, azure.microsoft.com/pricing/details/storage/queues and …/blobs. Prices change and differ by
 * region: this tells orders of magnitude, the bill tells the rest. Local providers ask nobody and cost nothing.
 */
const PER_REQUEST: readonly (readonly [pattern: RegExp, usd: number])[] = [
  [/^sqs:/, 0.4 / 1_000_000],
  // S3 takes nothing for deletes and for giving an upload up.
  [/^s3:(Delete|Abort)/, 0],
  [/^s3:(Put|Copy|Post|List|Create|Upload|Complete)/, 0.005 / 1_000],
  [/^s3:/, 0.0004 / 1_000],
  [/^azure-queue:/, 0.004 / 10_000],
  [/^azblob:Delete/, 0],
  [/^azblob:(Put|List|Create|Set|BlobBatch)/, 0.05 / 10_000],
  [/^azblob:/, 0.004 / 10_000],
];

/** `operation` as a meter counts it, with its service: `sqs:SendMessageBatch`. Unknown ones cost nothing. */
export const priceOf = (operation: string): number =>
  PER_REQUEST.find(([pattern]) => pattern.test(operation))?.[1] ?? 0;

/** Requests and their price, in USD. */
export function costOf(operations: Readonly<Record<string, number>>): { count: number; usd: number } {
  let count = 0;
  let usd = 0;
  for (const [operation, requests] of Object.entries(operations)) {
    count += requests;
    usd += requests * priceOf(operation);
  }
  return { count, usd };
}
