import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCode } from '../../../../shared/errors.ts';
import { type Access, accessOf } from '../../../../shared/providers/azure/credentials.ts';
import { parseCloudUrl } from '../../../../shared/providers/url.ts';

const access = (credentials: string, environment: Record<string, string>): Promise<Access> =>
  accessOf(parseCloudUrl(`azure-queue://acc/q?credentials=${credentials}`), environment);

/** The kind of access, and for tokens the kind of credential. */
async function kindOf(credentials: string, environment: Record<string, string>): Promise<string> {
  const found = await access(credentials, environment);
  return found.kind === 'token' ? found.credential.constructor.name : found.kind;
}

const CONNECTION =
  'DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5PT0=;EndpointSuffix=core.windows.net';
const PRINCIPAL = { AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client' };

test('default takes what the environment holds, else the managed identity, and probes nothing', async () => {
  assert.deepEqual(
    await access('default', { AZURE_STORAGE_CONNECTION_STRING: CONNECTION, AZURE_STORAGE_KEY: 'other' }),
    {
      kind: 'key',
      account: 'acc',
      key: 'a2V5PT0=',
    },
  );
  assert.deepEqual(await access('default', { AZURE_STORAGE_SAS_TOKEN: '?sv=1&sig=x' }), {
    kind: 'sas',
    sas: 'sv=1&sig=x',
  });
  assert.equal(
    await kindOf('default', { ...PRINCIPAL, AZURE_CLIENT_SECRET: 'secret' }),
    'EnvironmentCredential',
  );
  assert.equal(
    await kindOf('default', { ...PRINCIPAL, AZURE_FEDERATED_TOKEN_FILE: '/token' }),
    'WorkloadIdentityCredential',
  );
  assert.equal(await kindOf('default', {}), 'ManagedIdentityCredential');
});

test('what is meant for another account is not used', async () => {
  const other = { AZURE_STORAGE_CONNECTION_STRING: CONNECTION.replace('=acc;', '=another;') };
  assert.equal(await kindOf('default', other), 'ManagedIdentityCredential');
  assert.equal(
    await kindOf('default', { AZURE_STORAGE_ACCOUNT: 'another', AZURE_STORAGE_KEY: 'key' }),
    'ManagedIdentityCredential',
  );
});

test('each way can be named', async () => {
  assert.equal(await kindOf('key', { AZURE_STORAGE_KEY: 'key' }), 'key');
  assert.equal(
    await kindOf('sas', {
      AZURE_STORAGE_CONNECTION_STRING: 'AccountName=acc;SharedAccessSignature=sv=1&sig=x%3D',
    }),
    'sas',
  );
  assert.equal(await kindOf('managed', {}), 'ManagedIdentityCredential');
  assert.equal(await kindOf('managed:client', {}), 'ManagedIdentityCredential');
  assert.equal(await kindOf('cli', {}), 'AzureCliCredential');
});

test('what is missing is named', async () => {
  for (const [way, variable] of [
    ['env', 'AZURE_STORAGE_CONNECTION_STRING'],
    ['key', 'AZURE_STORAGE_KEY'],
    ['sas', 'AZURE_STORAGE_SAS_TOKEN'],
    ['workload', 'AZURE_FEDERATED_TOKEN_FILE'],
  ] as const) {
    await assert.rejects(access(way, {}), (error: Error) => {
      assert.ok(isCode(error, 'CLOUD_AUTH'));
      assert.match(error.message, new RegExp(variable));
      return true;
    });
  }
  await assert.rejects(access('instance', {}), (error) => isCode(error, 'INVALID_CONFIG'));
});
