import {
  AnonymousCredential,
  BlobServiceClient,
  type ContainerClient,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import type { Meter } from '../meter.ts';
import type { CloudUrl } from '../url.ts';
import { endpointOf, wireOptions } from './client.ts';
import type { Access } from './credentials.ts';

/** A place in a container: every blob of it is named `prefix` and then the key. */
export interface Place {
  service: BlobServiceClient;
  container: ContainerClient;
  /** Empty, or with a slash at its end. */
  prefix: string;
}

export function placeOf(url: CloudUrl, access: Access, meter: Meter): Place {
  const [name = '', ...path] = url.path.split('/');
  const service = serviceClient(url, access, meter);
  return {
    service,
    container: service.getContainerClient(name),
    prefix: path.map((part) => `${part}/`).join(''),
  };
}

function serviceClient(url: CloudUrl, access: Access, meter: Meter): BlobServiceClient {
  const address = endpointOf(url, 'azblob');
  const options = wireOptions('azblob', meter);
  switch (access.kind) {
    case 'key':
      return new BlobServiceClient(
        address,
        new StorageSharedKeyCredential(access.account, access.key),
        options,
      );
    case 'sas':
      return new BlobServiceClient(`${address}?${access.sas}`, new AnonymousCredential(), options);
    case 'token':
      return new BlobServiceClient(address, access.credential, options);
  }
}
