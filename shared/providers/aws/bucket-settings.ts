import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  type LifecycleRule,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutPublicAccessBlockCommand,
} from '@aws-sdk/client-s3';
import type { Difference } from '../manage.ts';
import type { Bucket } from './bucket.ts';
import { errorName, statusOf } from './errors.ts';

/** Parts of uploads that nobody went on with are paid for until they are removed. */
const ABORT_AFTER_DAYS = 7;
const RULE = 'clobi-abort-incomplete-uploads';
export const FIX = 'clobi pool ensure';

/** A setting of a bucket: how to look at it, and how to set it where that can be done. */
export interface BucketSetting {
  setting: string;
  /** Undefined when it is as it should be, or the server knows no such setting. */
  inspect: (bucket: Bucket) => Promise<Omit<Difference, 'thing' | 'setting'> | undefined>;
  mend?: (bucket: Bucket) => Promise<void>;
}

/** What S3 calls a public access block. Public ACLs that are there anyway are ignored. */
const BLOCKED = {
  IgnorePublicAcls: true,
  BlockPublicPolicy: true,
  RestrictPublicBuckets: true,
};
/** Elsewhere we do without the refusal of public ACLs: with it Ceph 16 refuses every put. */
const blockedOf = ({ isAws }: Bucket) => (isAws ? { ...BLOCKED, BlockPublicAcls: true } : BLOCKED);

export const BUCKET_SETTINGS: readonly BucketSetting[] = [
  {
    setting: 'public-access',
    inspect: async (bucket) => {
      const answer = await read(bucket, 'GetPublicAccessBlock', 'NoSuchPublicAccessBlockConfiguration', () =>
        bucket.client.send(new GetPublicAccessBlockCommand({ Bucket: bucket.name })),
      );
      if (answer === 'unknown') return undefined;
      const is: { [name in keyof ReturnType<typeof blockedOf>]?: boolean | undefined } =
        answer?.PublicAccessBlockConfiguration ?? {};
      const open = Object.keys(blockedOf(bucket)).filter(
        (name) => is[name as keyof ReturnType<typeof blockedOf>] !== true,
      );
      if (open.length === 0) return undefined;
      return {
        is: `without ${open.join(', ')}`,
        shouldBe: 'no public access',
        fix: FIX,
        gravity: 'failed',
        mendable: true,
      };
    },
    mend: async (bucket) => {
      await bucket.ask('PutPublicAccessBlock', undefined, () =>
        bucket.client.send(
          new PutPublicAccessBlockCommand({
            Bucket: bucket.name,
            PublicAccessBlockConfiguration: blockedOf(bucket),
          }),
        ),
      );
    },
  },
  {
    setting: 'encryption',
    inspect: async (bucket) => {
      // Elsewhere it is set for the whole server.
      if (!bucket.isAws) return undefined;
      const absent = 'ServerSideEncryptionConfigurationNotFoundError';
      const answer = await read(bucket, 'GetBucketEncryption', absent, () =>
        bucket.client.send(new GetBucketEncryptionCommand({ Bucket: bucket.name })),
      );
      if (answer === 'unknown' || (answer?.ServerSideEncryptionConfiguration?.Rules ?? []).length > 0)
        return undefined;
      return { is: 'none', shouldBe: 'AES256 or a key of KMS', fix: FIX, gravity: 'warning', mendable: true };
    },
    mend: async (bucket) => {
      const Rules = [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } }];
      await bucket.ask('PutBucketEncryption', undefined, () =>
        bucket.client.send(
          new PutBucketEncryptionCommand({
            Bucket: bucket.name,
            ServerSideEncryptionConfiguration: { Rules },
          }),
        ),
      );
    },
  },
  {
    setting: 'lifecycle',
    inspect: async (bucket) => {
      const rules = await readLifecycle(bucket);
      if (rules === 'unknown' || rules.some((rule) => abortsUploads(rule, bucket))) return undefined;
      return {
        is: 'parts of abandoned uploads are kept for ever',
        shouldBe: `removed after ${ABORT_AFTER_DAYS} days`,
        fix: FIX,
        gravity: 'warning',
        mendable: true,
      };
    },
    mend: async (bucket) => {
      const rules = await readLifecycle(bucket);
      if (rules === 'unknown') return;
      // The configuration is written as a whole: what others put there stays.
      const Rules: LifecycleRule[] = [...rules.filter(({ ID }) => ID !== RULE), abortRule(bucket)];
      await bucket.ask('PutBucketLifecycleConfiguration', undefined, () =>
        bucket.client.send(
          new PutBucketLifecycleConfigurationCommand({
            Bucket: bucket.name,
            LifecycleConfiguration: { Rules },
          }),
        ),
      );
    },
  },
  {
    setting: 'versioning',
    inspect: async (bucket) => {
      const answer = await read(bucket, 'GetBucketVersioning', undefined, () =>
        bucket.client.send(new GetBucketVersioningCommand({ Bucket: bucket.name })),
      );
      if (answer === 'unknown' || answer?.Status !== 'Enabled') return undefined;
      return {
        is: 'on: what Clobi removes or replaces stays, and is paid for',
        shouldBe: 'off, or with a rule that expires old versions',
        fix: 'add a lifecycle rule with NoncurrentVersionExpiration, or take a bucket of its own',
        gravity: 'warning',
        mendable: false,
      };
    },
  },
];

const abortRule = ({ prefix }: Bucket): LifecycleRule => ({
  ID: RULE,
  Status: 'Enabled',
  Filter: { Prefix: prefix },
  AbortIncompleteMultipartUpload: { DaysAfterInitiation: ABORT_AFTER_DAYS },
});

const abortsUploads = (rule: LifecycleRule, { prefix }: Bucket): boolean =>
  rule.Status === 'Enabled' &&
  rule.AbortIncompleteMultipartUpload !== undefined &&
  prefix.startsWith(rule.Filter?.Prefix ?? '');

async function readLifecycle(bucket: Bucket): Promise<LifecycleRule[] | 'unknown'> {
  const answer = await read(bucket, 'GetBucketLifecycleConfiguration', 'NoSuchLifecycleConfiguration', () =>
    bucket.client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket.name })),
  );
  return answer === 'unknown' ? answer : (answer?.Rules ?? []);
}

/** Undefined when it is not set (`absent` names that answer), `unknown` when this server has no such setting. */
async function read<R>(
  bucket: Bucket,
  operation: string,
  absent: string | undefined,
  request: () => Promise<R>,
): Promise<R | undefined | 'unknown'> {
  try {
    return await request();
  } catch (error) {
    if (errorName(error) === absent) return undefined;
    if (/^(NotImplemented|MethodNotAllowed)$/.test(errorName(error)) || statusOf(error) === 501)
      return 'unknown';
    throw bucket.errorOf(operation, undefined, error);
  }
}

/** Doing it twice is fine, also by two at a time. */
export async function createBucket(bucket: Bucket): Promise<void> {
  const region = await bucket.client.config.region();
  // The oldest region is the one that must not be named.
  const where = region === 'us-east-1' ? {} : { LocationConstraint: region as BucketLocationConstraint };
  const input = {
    Bucket: bucket.name,
    ...(region === 'us-east-1' ? {} : { CreateBucketConfiguration: where }),
  };
  try {
    await bucket.client.send(new CreateBucketCommand(input));
  } catch (error) {
    if (errorName(error) !== 'BucketAlreadyOwnedByYou')
      throw bucket.errorOf('CreateBucket', undefined, error);
  }
}
