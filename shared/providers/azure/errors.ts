import { ClobiError, type ErrorCode, messageOf } from '../../errors.ts';

/** What was asked of Azure, for the message: who reads it knows what to allow, and on what. */
export interface Asked {
  /** `send to the queue clobi-units`. */
  doing: string;
  /** The built-in role that allows it, and the action in it. */
  role: string;
  action: string;
}

/** The parts of what the SDK throws that tell anything. */
interface Thrown {
  name: string;
  /** Azure's own error code, or Node's code of a network error. */
  code: string;
  status: number | undefined;
  /** By the server's clock; undefined where it did not answer. */
  date: string | undefined;
}

/** The one translation of errors (see trouble.ts); what is a ClobiError already passes through. */
export function azureError(error: unknown, asked: Asked): ClobiError {
  if (error instanceof ClobiError) return error;
  const thrown = readThrown(error);
  const code = codeOf(thrown);
  return new ClobiError(code, `Azure did not ${asked.doing}: ${explain(code, thrown, asked, error)}`, {
    context: { status: thrown.status, azureCode: thrown.code },
    cause: error,
  });
}

/** The code by which Azure tells one refusal from another; `code` of the answer's body is the same. */
export const azureCodeOf = (error: unknown): string => readThrown(error).code;

function readThrown(error: unknown): Thrown {
  const { name, code, statusCode, response, details } = (error ?? {}) as {
    name?: string;
    code?: string;
    statusCode?: number;
    response?: { headers: { get(name: string): string | undefined } };
    details?: { errorCode?: string };
  };
  const header = response?.headers.get('x-ms-error-code');
  return {
    name: name ?? '',
    code: header ?? details?.errorCode ?? code ?? '',
    status: statusCode,
    date: response?.headers.get('date'),
  };
}

const LIMITS = /Quota|LimitExceeded|ExceedsLimit|InsufficientStorage/;
const BUSY = /^(ServerBusy|TooManyRequests|OperationTimedOut)$/;
const NETWORK = /^(E[A-Z_]+|TIMEOUT|REQUEST_SEND_ERROR|PARSE_ERROR|CERT_.*|.*CERT.*)$/;
const EXISTS = /^(BlobAlreadyExists|ConditionNotMet|TargetConditionNotMet)$/;
/** Passes once whatever stands in the way is over: the deletion of a thing of the same name, another upload to the key. */
const LATER = /^(QueueBeingDeleted|ContainerBeingDeleted|AccountBeingCreated|InvalidBlockList)$/;

function codeOf({ name, code, status }: Thrown): ErrorCode {
  if (EXISTS.test(code)) return 'PRECONDITION_FAILED';
  if (LATER.test(code)) return 'UNAVAILABLE';
  if (LIMITS.test(code)) return 'CLOUD_QUOTA';
  if (BUSY.test(code) || status === 429 || status === 503) return 'THROTTLED';
  if (status === 401 || status === 403) return 'CLOUD_AUTH';
  if (status === 404) return 'NOT_FOUND';
  if (status === 412) return 'PRECONDITION_FAILED';
  if (status === 413) return 'LIMIT_EXCEEDED';
  if (status !== undefined && status >= 500) return 'UNAVAILABLE';
  // What @azure/identity throws when there is no token to be had.
  if (/^(CredentialUnavailable|Authentication|AggregateAuthentication)/.test(name)) return 'CLOUD_AUTH';
  if (status === undefined && (NETWORK.test(code) || name === 'AbortError')) return 'UNAVAILABLE';
  return 'INTERNAL';
}

function explain(code: ErrorCode, thrown: Thrown, asked: Asked, error: unknown): string {
  const said = thrown.code === '' ? firstLine(error) : thrown.code;
  if (code === 'CLOUD_AUTH') return `${said}. ${adviceFor(thrown, asked)}`;
  if (code === 'CLOUD_QUOTA') return `a limit of the account is reached (${said}).`;
  if (code === 'THROTTLED') return `it asks for fewer requests (${said}).`;
  if (code === 'NOT_FOUND') return `there is no such thing (${said}).${HINTS[said] ?? ''}`;
  if (code === 'UNAVAILABLE') return `${said}.${HINTS[said] ?? ''}`;
  return `${said}: ${firstLine(error)}`;
}

const HINTS: Readonly<Record<string, string>> = {
  QueueNotFound: ' `clobi pool ensure` makes it.',
  ContainerNotFound: ' `clobi pool ensure` makes it.',
  QueueBeingDeleted: ' A queue of this name was deleted a moment ago; its name is free again in a minute.',
  ContainerBeingDeleted:
    ' A container of this name was deleted a moment ago; its name is free again in a minute.',
  ENOTFOUND: ' Is the name of the storage account right?',
};

/** Azure takes signatures of the last 15 minutes. */
const MOST_SKEW_MS = 5 * 60_000;

function adviceFor({ code, date, name }: Thrown, { role, action }: Asked): string {
  const skewMs = date === undefined ? 0 : Date.now() - Date.parse(date);
  if (Math.abs(skewMs) > MOST_SKEW_MS)
    return `The clock of this machine is ${Math.round(Math.abs(skewMs) / 60_000)} minutes ${skewMs > 0 ? 'fast' : 'slow'}: set it by NTP.`;
  if (code === 'KeyBasedAuthenticationNotPermitted')
    return 'The account takes no account keys: use credentials=managed, workload or cli.';
  if (code === 'AuthenticationFailed' || code === 'InvalidAuthenticationInfo')
    return 'The key, SAS or token is wrong, has expired, or is of another account.';
  if (code === 'AuthorizationFailure')
    return `The SAS has expired, the account’s firewall refuses this network, or a right is missing: the role "${role}" (${action}).`;
  if (code === '' && name !== '')
    return 'No token could be had: is the identity assigned to this machine, and are the AZURE_… variables right?';
  return `Give the identity the role "${role}" (${action}), or the SAS that right.`;
}

const firstLine = (error: unknown): string => messageOf(error).split('\n', 1)[0] ?? '';
