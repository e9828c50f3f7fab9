import type { S3Client } from '@aws-sdk/client-s3';
import { ClobiError } from '../../errors.ts';
import type { CloudUrl } from '../url.ts';
import { awsError } from './errors.ts';
import { NOT_IN_XML } from './xml.ts';

/** Longest key of S3, in bytes of UTF-8, our prefix included. */
const MAX_KEY_BYTES = 1_024;

/** A bucket, and the prefix below which all of ours lies. */
export class Bucket {
  readonly client: S3Client;
  readonly name: string;
  /** Empty, or ends in a slash. */
  readonly prefix: string;
  /** S3 itself. Of another's server that speaks its protocol we know neither whether it honours conditions nor what can be set. */
  readonly isAws: boolean;
  readonly #credentials: string;

  constructor(client: S3Client, { host, path, endpoint, credentials }: CloudUrl) {
    this.client = client;
    this.name = host;
    this.prefix = path === '' ? '' : `${path}/`;
    this.isAws = endpoint === undefined || new URL(endpoint).hostname.endsWith('.amazonaws.com');
    this.#credentials = credentials;
  }

  /** What every request for an object names. */
  at(key: string): { Bucket: string; Key: string } {
    const full = this.prefix + key;
    const size = Buffer.byteLength(full);
    if (key === '' || size > MAX_KEY_BYTES || NOT_IN_XML.test(full))
      throw new ClobiError(
        'LIMIT_EXCEEDED',
        `${JSON.stringify(key)} cannot be a key of S3: with the prefix it must have 1 to ${MAX_KEY_BYTES} bytes, and only characters that XML knows.`,
        { context: { key, size, limit: MAX_KEY_BYTES } },
      );
    return { Bucket: this.name, Key: full };
  }

  /** The key without our prefix. */
  own(full: string): string {
    return full.slice(this.prefix.length);
  }

  /** Makes a request; every error as a ClobiError. */
  async ask<R>(operation: string, key: string | undefined, request: () => Promise<R>): Promise<R> {
    try {
      return await request();
    } catch (error) {
      throw this.errorOf(operation, key, error);
    }
  }

  errorOf(operation: string, key: string | undefined, error: unknown): ClobiError {
    const resource = `arn:aws:s3:::${this.name}${key === undefined ? '' : `/${this.prefix}${key}`}`;
    return awsError(error, { service: 's3', operation, resource, credentials: this.#credentials });
  }
}

/** S3 puts an ETag in quotation marks, except where it does not. */
export const bareEtag = (etag: string | undefined): string => (etag ?? '').replace(/^(W\/)?"(.*)"$/, '$2');
