import { type AttemptId, newJobId, newUnitId, type PoolName } from '../../../shared/ids.ts';
import { type JobSpec, jobSpecSchema } from '../../../shared/job-spec.ts';
import { newKeyPair, seal, signerOf } from '../../../shared/wire/signature.ts';
import type { UnitBody } from '../../../shared/wire/unit.ts';

const keys = newKeyPair();
export const publicKey = keys.publicKey;
const sign = signerOf(keys.privateKey);

export const specWith = (resources: Partial<JobSpec['resources']> = {}): JobSpec =>
  jobSpecSchema.parse({
    v: 1,
    name: 'test',
    owner: 'tester',
    tasks: { kind: 'count', count: 1 },
    command: ['/bin/true'],
    script: null,
    resources,
    timeout: {},
    retry: { backoff: { initialMs: 1, factor: 1, maxMs: 1 } },
    placement: {},
    retention: {},
  });

/** A unit of so many tasks, as the coordinator would write it. */
export function unitOf(tasks: number, change: Partial<UnitBody> = {}): UnitBody {
  return {
    v: 1,
    ns: 'test',
    pool: 'local' as PoolName,
    unit: newUnitId(1),
    job: newJobId(),
    taskCount: tasks,
    spec: { inline: specWith() },
    tasks: Array.from({ length: tasks }, (_, index) => ({ index, attempt: '1.1' as AttemptId })),
    issuedAt: Date.now(),
    notAfter: Date.now() + 3_600_000,
    ...change,
  };
}

export function sealed(unit: unknown): string {
  const body = JSON.stringify(unit);
  return seal(body, sign(body));
}
