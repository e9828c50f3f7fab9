import { S3Client } from '@aws-sdk/client-s3';
import type { Meter } from '../meter.ts';
import type { CloudUrl } from '../url.ts';
import { checkRegion, clientFor, commonConfig, commonHandler } from './client.ts';

/** A transfer may last; a connection on which nothing moved for so long is taken for dead. */
const SILENCE_MS = 30_000;

/** Checksums only where S3 demands them: others' S3 does not know the newer ones. */
export function s3Client(url: CloudUrl, meter: Meter): S3Client {
  const region = url.region ?? (url.endpoint === undefined ? undefined : 'us-east-1');
  if (region !== undefined) checkRegion(region);
  return clientFor(
    url,
    meter,
    () =>
      new S3Client({
        ...commonConfig(url, region),
        forcePathStyle: url.endpoint !== undefined,
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
        requestHandler: { ...commonHandler(), socketTimeout: SILENCE_MS },
      }),
  );
}
