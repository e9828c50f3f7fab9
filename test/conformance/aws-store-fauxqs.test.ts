import { startFauxqs } from '../../infra/emulators/fauxqs.ts';
import { storesOf } from './aws-kit.ts';
import { storeConformance } from './store-suite.ts';

storeConformance('S3 (fauxqs)', storesOf(await startFauxqs()), {
  otherProcesses: true,
  localeOrder: true,
  signsUnchecked: true,
});
