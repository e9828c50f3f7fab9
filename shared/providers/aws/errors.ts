import { ClobiError, type ErrorCode, messageOf } from '../../errors.ts';
import { actionOf } from './actions.ts';

/** What was asked of AWS when it failed. */
export interface Asked {
  service: 'sqs' | 's3';
  /** As AWS names it: `PutObject`. */
  operation: string;
  /** Its ARN, or as much of it as we know. */
  resource: string;
  /** Where the credentials come from. */
  credentials: string;
}

/** What an error of the SDK may hold. */
interface SdkError extends Error {
  code?: string;
  Code?: string;
  Region?: string;
  $metadata?: { httpStatusCode?: number; attempts?: number };
  $response?: { headers?: Readonly<Record<string, string>> };
}

const DENIED = /^(AccessDenied|AccessDeniedException|AllAccessDisabled|Forbidden|KmsAccessDenied)$/;
const CREDENTIALS =
  /^(ExpiredToken\w*|InvalidAccessKeyId|InvalidClientTokenId|UnrecognizedClient\w*|SignatureDoesNotMatch|InvalidSignatureException|InvalidToken|InvalidSecurity|TokenRefreshRequired|MissingAuthenticationToken|MissingSecurityHeader|IncompleteSignature|AuthFailure|NotSignedUp|OptInRequired|AccountProblem|CredentialsProviderError|TokenProviderError)$/;
const SKEWED =
  /^(RequestTimeTooSkewed|RequestExpired|RequestInTheFuture)$|Signature (expired|not yet current)/;
const QUOTA = /^(OverLimit|TooManyBuckets|QuotaExceeded|ServiceQuotaExceeded\w*|LimitExceeded\w*)$/;
const THROTTLED =
  /^(Throttl\w*|RequestThrottled\w*|RequestLimitExceeded|SlowDown|TooManyRequests\w*|KmsThrottled|BandwidthLimitExceeded|PriorRequestNotComplete)$/;
const MISSING = /^(NoSuchBucket|NoSuchKey|NoSuchUpload|NotFound|QueueDoesNotExist|NonExistentQueue)$/;
const WRONG_REGION =
  /^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|TemporaryRedirect|Redirect)$/;
const UNREACHABLE =
  /^(TimeoutError|AbortError|NetworkingError|RequestTimeout\w*|InternalError|InternalFailure|InternalServerError|ServiceUnavailable\w*|ServerBusy|E[A-Z_]+|CERT_\w+)$/;

/** The one classification of what the SDKs for AWS throw; keeps it as the cause. */
export function awsError(error: unknown, asked: Asked): ClobiError {
  if (error instanceof ClobiError) return error;
  const { code, message } = explain(error, asked);
  const context = { operation: `${asked.service}:${asked.operation}`, resource: asked.resource };
  return new ClobiError(code, message, { context, cause: error });
}

function explain(error: unknown, asked: Asked): { code: ErrorCode; message: string } {
  const name = errorName(error);
  const said = saidBy(error, name);
  const status = (error as SdkError).$metadata?.httpStatusCode ?? 0;
  const action = actionOf(asked.service, asked.operation);
  const on = `${action} on ${asked.resource}`;
  if (SKEWED.test(name) || SKEWED.test(said))
    return {
      code: 'CLOUD_AUTH',
      message: `The clock of this machine is wrong${skewOf(error)}, so AWS refuses ${on}: ${said}. Set it (NTP).`,
    };
  if (WRONG_REGION.test(name) || status === 301 || status === 307)
    return {
      code: 'INVALID_CONFIG',
      message: `${asked.resource} is not in the region asked${regionOf(error)}: ${said}. Name its region in the URL.`,
    };
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError')
    return {
      code: 'CLOUD_AUTH',
      message: `No AWS credentials were found by credentials=${asked.credentials}: ${said}.`,
    };
  if (CREDENTIALS.test(name) || status === 401)
    return {
      code: 'CLOUD_AUTH',
      message: `AWS does not take the credentials found by credentials=${asked.credentials}: ${said}. Renew them.`,
    };
  if (QUOTA.test(name))
    return { code: 'CLOUD_QUOTA', message: `A limit of the AWS account is reached by ${on}: ${said}.` };
  if (THROTTLED.test(name) || status === 429)
    return { code: 'THROTTLED', message: `AWS asks for fewer requests (${on}): ${said}.` };
  if (DENIED.test(name) || status === 403)
    return {
      code: 'CLOUD_AUTH',
      message: `AWS refuses ${on}: ${said}. Allow this action on this resource to the identity in use.`,
    };
  if (MISSING.test(name) || status === 404)
    return {
      code: 'NOT_FOUND',
      message: `${asked.resource} does not exist: ${said}. ${HINTS[asked.service]}`,
    };
  if (UNREACHABLE.test(name) || status >= 500)
    return { code: 'UNAVAILABLE', message: `AWS did not answer ${on}: ${said}.` };
  if (said.startsWith('Region is missing'))
    return {
      code: 'INVALID_CONFIG',
      message: `No region is known for ${asked.resource}. Add ?region=REGION to its URL, or set AWS_REGION.`,
    };
  return { code: 'INTERNAL', message: `AWS did not understand ${on}: ${said}.` };
}

const HINTS = {
  sqs: 'Create the queue with `clobi pool ensure`.',
  s3: 'If it is the bucket that is missing, create it with `clobi pool ensure`.',
} as const;

/** The short name AWS has for it, whatever protocol it came by; the system's code for what failed on the way. */
export function errorName(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { name, code, Code } = error as SdkError;
  // Node's own errors are called Error or AggregateError and have their name in `code`.
  const best = name === 'Error' || name === 'AggregateError' ? (Code ?? code ?? name) : name;
  return best.split(/[#.]/).at(-1) ?? best;
}

export const statusOf = (error: unknown): number | undefined => (error as SdkError).$metadata?.httpStatusCode;

/** How often the SDK asked before this came. */
export const attemptsOf = (error: unknown): number => (error as SdkError).$metadata?.attempts ?? 1;

function saidBy(error: unknown, name: string): string {
  const message = messageOf(error).trim().replace(/\.$/, '');
  if (message === '' || message === 'UnknownError') return name;
  return message.startsWith(name) ? message : `${name}: ${message}`;
}

function skewOf(error: unknown): string {
  const date = Date.parse((error as SdkError).$response?.headers?.['date'] ?? '');
  if (Number.isNaN(date)) return '';
  const seconds = Math.round((Date.now() - date) / 1_000);
  return ` (${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'})`;
}

function regionOf(error: unknown): string {
  const { Region, $response } = error as SdkError;
  const region = Region ?? $response?.headers?.['x-amz-bucket-region'];
  return region === undefined ? '' : ` but in ${region}`;
}

/** One of many in a batch has failed: as if it had failed alone. */
export function entryError(entry: {
  Code?: string | undefined;
  Message?: string | undefined;
  SenderFault?: boolean | undefined;
}): Error {
  const { Code = 'Unknown', Message = '', SenderFault = false } = entry;
  // What is not the sender's fault is the server's, whatever it calls it.
  return Object.assign(new Error(Message === '' ? Code : Message), {
    name: Code,
    $metadata: { httpStatusCode: SenderFault ? 400 : 500 },
  });
}
