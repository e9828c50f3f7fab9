import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { ClobiError } from '../../shared/errors.ts';
import { newKeyPair } from '../../shared/wire/signature.ts';

export interface Secrets {
  /** What every API call carries. */
  token: string;
  /** PEM. Signs units; never leaves this machine. */
  privateKey: string;
  publicKey: string;
}

/** Reads the coordinator's secrets; makes what is missing, readable for its owner alone. */
export function readSecrets(directory: string): Secrets {
  const token = readOrMake(
    join(directory, 'token'),
    () => `${randomBytes(32).toString('base64url')}\n`,
  ).trim();
  if (token.length < 16) {
    throw new ClobiError(
      'INVALID_CONFIG',
      `${join(directory, 'token')} holds no token of at least 16 letters. Remove the file to have one made.`,
    );
  }
  const privateKey = readOrMake(join(directory, 'signing-key.pem'), () => newKeyPair().privateKey);
  const publicKey = createPublicKey(createPrivateKey(privateKey))
    .export({ type: 'spki', format: 'pem' })
    .toString();
  return { token, privateKey, publicKey };
}

function readOrMake(file: string, make: () => string): string {
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600, flag: 'wx' });
  chmodSync(file, 0o600);
  return readFileSync(file, 'utf8');
}
