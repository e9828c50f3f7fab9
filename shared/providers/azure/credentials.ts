import type { TokenCredential } from '@azure/identity';
import { ClobiError } from '../../errors.ts';
import type { CloudUrl } from '../url.ts';

/** How requests prove who sends them. */
export type Access =
  | { kind: 'key'; account: string; key: string }
  | { kind: 'sas'; sas: string }
  | { kind: 'token'; credential: TokenCredential };

type Environment = Readonly<Record<string, string | undefined>>;

const TAKES = 'default, env, key, sas, managed[:CLIENT_ID], cli, workload';

/**
 * What `credentials=` of a URL names. `default` is what the environment holds, else the machine's managed identity: nothing
 * is probed. Asks no server; `@azure/identity` is loaded only where a token is needed.
 */
export async function accessOf(url: CloudUrl, environment: Environment = process.env): Promise<Access> {
  const { host: account } = url;
  const [way = '', option] = url.credentials.split(/:(.*)/s);
  switch (way) {
    case 'default':
      return fromEnvironment(account, environment) ?? (await managed(environment['AZURE_CLIENT_ID']));
    case 'env':
      return fromEnvironment(account, environment) ?? missing(account, 'env', ANY_VARIABLE);
    case 'key':
      return keyOf(account, environment) ?? missing(account, 'key', KEY_VARIABLES);
    case 'sas':
      return sasOf(account, environment) ?? missing(account, 'sas', SAS_VARIABLES);
    case 'managed':
      return managed(option);
    case 'cli': {
      const { AzureCliCredential } = await import('@azure/identity');
      return { kind: 'token', credential: new AzureCliCredential() };
    }
    case 'workload':
      return workload(environment) ?? missing(account, 'workload', WORKLOAD_VARIABLES);
    default:
      throw new ClobiError(
        'INVALID_CONFIG',
        `credentials=${url.credentials} is unknown for the storage account "${account}"; known: ${TAKES}.`,
      );
  }
}

const KEY_VARIABLES = 'AZURE_STORAGE_KEY, or AZURE_STORAGE_CONNECTION_STRING with AccountKey,';
const SAS_VARIABLES =
  'AZURE_STORAGE_SAS_TOKEN, or AZURE_STORAGE_CONNECTION_STRING with SharedAccessSignature,';
const WORKLOAD_VARIABLES = 'AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE';
const ANY_VARIABLE =
  'AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, or AZURE_TENANT_ID with AZURE_CLIENT_ID and a secret, certificate or token file,';

const fromEnvironment = (account: string, environment: Environment): Access | Promise<Access> | undefined =>
  keyOf(account, environment) ??
  sasOf(account, environment) ??
  workload(environment) ??
  servicePrincipal(environment);

function keyOf(account: string, environment: Environment): Access | undefined {
  const key =
    connectionPart(account, environment, 'AccountKey') ??
    ofAccount(account, environment, 'AZURE_STORAGE_KEY');
  return key === undefined ? undefined : { kind: 'key', account, key };
}

function sasOf(account: string, environment: Environment): Access | undefined {
  const sas =
    connectionPart(account, environment, 'SharedAccessSignature') ??
    ofAccount(account, environment, 'AZURE_STORAGE_SAS_TOKEN');
  return sas === undefined ? undefined : { kind: 'sas', sas: sas.replace(/^\?/, '') };
}

/** A variable that says nothing of its account is meant for the account asked about, unless AZURE_STORAGE_ACCOUNT names another. */
function ofAccount(account: string, environment: Environment, name: string): string | undefined {
  const named = environment['AZURE_STORAGE_ACCOUNT'];
  return named === undefined || named === account ? nonEmpty(environment[name]) : undefined;
}

/** A part of the connection string, where that is of the account asked about. */
function connectionPart(account: string, environment: Environment, name: string): string | undefined {
  const parts = new Map(
    (environment['AZURE_STORAGE_CONNECTION_STRING'] ?? '').split(';').map((part): [string, string] => {
      const [key = '', value = ''] = part.split(/=(.*)/s);
      return [key.trim(), value.trim()];
    }),
  );
  const named = parts.get('AccountName');
  return named === undefined || named === account ? nonEmpty(parts.get(name)) : undefined;
}

function workload(environment: Environment): Promise<Access> | undefined {
  const [tenantId, clientId, tokenFilePath] = [
    nonEmpty(environment['AZURE_TENANT_ID']),
    nonEmpty(environment['AZURE_CLIENT_ID']),
    nonEmpty(environment['AZURE_FEDERATED_TOKEN_FILE']),
  ];
  if (tenantId === undefined || clientId === undefined || tokenFilePath === undefined) return undefined;
  return import('@azure/identity').then(({ WorkloadIdentityCredential }) => ({
    kind: 'token',
    credential: new WorkloadIdentityCredential({ tenantId, clientId, tokenFilePath }),
  }));
}

/** A service principal by secret or certificate; `EnvironmentCredential` reads the variables itself. */
function servicePrincipal(environment: Environment): Promise<Access> | undefined {
  const proof = environment['AZURE_CLIENT_SECRET'] ?? environment['AZURE_CLIENT_CERTIFICATE_PATH'];
  if (nonEmpty(environment['AZURE_TENANT_ID']) === undefined || nonEmpty(proof) === undefined)
    return undefined;
  return import('@azure/identity').then(({ EnvironmentCredential }) => ({
    kind: 'token',
    credential: new EnvironmentCredential(),
  }));
}

async function managed(clientId: string | undefined): Promise<Access> {
  const { ManagedIdentityCredential } = await import('@azure/identity');
  const id = nonEmpty(clientId);
  const credential =
    id === undefined ? new ManagedIdentityCredential() : new ManagedIdentityCredential({ clientId: id });
  return { kind: 'token', credential };
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

function missing(account: string, way: string, variables: string): never {
  throw new ClobiError(
    'CLOUD_AUTH',
    `No credentials for the storage account "${account}": credentials=${way} needs ${variables} in the environment.`,
  );
}
