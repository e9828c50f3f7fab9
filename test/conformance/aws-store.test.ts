import { describe } from 'node:test';
import { missingRadosgw, startRadosgw } from '../../infra/emulators/radosgw.ts';
import { storesOf } from './aws-kit.ts';
import { storeConformance } from './store-suite.ts';

const missing = missingRadosgw();

if (missing === undefined)
  storeConformance('S3 (Ceph radosgw)', storesOf(await startRadosgw()), {
    otherProcesses: true,
    putsIfAbsent: true,
  });
else describe('store: S3 (Ceph radosgw)', { skip: missing }, () => undefined);
