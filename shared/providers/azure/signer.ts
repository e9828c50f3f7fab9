import {
  BlobSASPermissions,
  SASProtocol,
  type UserDelegationKey,
  StorageSharedKeyCredential,
  generateBlobSASQueryParameters,
} from '@azure/storage-blob';
import { ClobiError } from '../../errors.ts';
import type { Place } from './blob-client.ts';
import type { Access } from './credentials.ts';
import { azureError } from './errors.ts';
import { askedOfBlob } from './rights.ts';

/** Signs URLs that let anyone who has them read (`r`) or write (`cw`) one blob until they expire. */
export interface Signer {
  sign(blobName: string, permissions: 'r' | 'cw', expiresMs: number): Promise<string>;
}

/** Azure signs with a user's key for seven days at most; we ask no more of account keys. */
const LONGEST_MS = 7 * 24 * 3_600_000;
/** A format that every server of the last years knows. */
const SAS_VERSION = '2022-11-02';
/** A user's key is used again while it outlives what it signs. */
const KEY_LIFE_MS = 24 * 3_600_000;

/** Undefined for a SAS: it signs nothing, and handing it on would give away all its rights. */
export function signerOf(place: Place, access: Access): Signer | undefined {
  if (access.kind === 'sas') return undefined;
  const key = access.kind === 'key' ? accountKey(access) : new UserKey(place);
  return {
    sign: async (blobName, permissions, expiresMs) => {
      if (expiresMs > LONGEST_MS || !(expiresMs > 0)) throw tooLong(expiresMs);
      const { url } = place.container.getBlobClient(blobName);
      const values = {
        containerName: place.container.containerName,
        blobName,
        permissions: BlobSASPermissions.parse(permissions),
        expiresOn: new Date(Date.now() + expiresMs),
        protocol: url.startsWith('https:') ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
        version: SAS_VERSION,
      };
      return `${url}?${await key.sign(values)}`;
    },
  };
}

type Values = Parameters<typeof generateBlobSASQueryParameters>[0] & { expiresOn: Date };

interface Key {
  sign(values: Values): Promise<string>;
}

function accountKey({ account, key }: { account: string; key: string }): Key {
  const credential = new StorageSharedKeyCredential(account, key);
  return { sign: async (values) => generateBlobSASQueryParameters(values, credential).toString() };
}

/** Where we have a token and no account key, Azure lends a key to sign with in our name. */
class UserKey implements Key {
  readonly #place: Place;
  #key: { expiresAt: number; lent: Promise<UserDelegationKey> } | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  async sign(values: Values): Promise<string> {
    const key = await this.#lend(values.expiresOn.getTime());
    return generateBlobSASQueryParameters(values, key, this.#place.service.accountName).toString();
  }

  #lend(outliving: number): Promise<UserDelegationKey> {
    if (this.#key !== undefined && this.#key.expiresAt >= outliving) return this.#key.lent;
    const expiresAt = Math.min(outliving + KEY_LIFE_MS, Date.now() + LONGEST_MS);
    const lent = this.#ask(new Date(expiresAt));
    const key = { expiresAt, lent };
    this.#key = key;
    lent.catch(() => {
      if (this.#key === key) this.#key = undefined;
    });
    return lent;
  }

  async #ask(expiresOn: Date): Promise<UserDelegationKey> {
    const { service, container } = this.#place;
    try {
      // A start in the past, as our clock may be fast.
      return await service.getUserDelegationKey(new Date(Date.now() - 5 * 60_000), expiresOn);
    } catch (error) {
      throw azureError(error, askedOfBlob('sign URLs for', `the container ${container.containerName}`));
    }
  }
}

const tooLong = (expiresMs: number): ClobiError =>
  new ClobiError(
    'LIMIT_EXCEEDED',
    `A signed URL that expires in ${expiresMs} ms is outside the bounds of 1 ms and ${LONGEST_MS} ms.`,
  );
