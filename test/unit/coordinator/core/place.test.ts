import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AgentShape,
  eligibility,
  type PlacePool,
  preference,
} from '../../../../coordinator/core/place.ts';
import { specOf } from '../../../helpers/cluster.ts';

const shape = (fields: Partial<AgentShape> = {}): AgentShape => ({
  arch: 'x64',
  cpus: 4,
  memoryBytes: 8 * 1024 ** 3,
  gpus: 0,
  diskBytes: null,
  labels: {},
  ...fields,
});
const pool = (fields: Partial<PlacePool> = {}): PlacePool => ({
  name: 'p',
  provider: 'local',
  pricePerCpuHour: 0,
  region: null,
  archs: [],
  labels: {},
  shapes: [shape()],
  ...fields,
});
const needs = (require: object, resources: object = {}) =>
  specOf({ command: ['true'], placement: { require }, resources });

test('a job without requirements may run anywhere, also where no agent is yet', () => {
  assert.deepEqual(eligibility(needs({}), pool()), { eligible: true, ruledOutBy: [] });
  assert.equal(eligibility(needs({}, { cpus: 64 }), pool({ shapes: [] })).eligible, true);
});

test('each requirement is named with its value and what the pool has', () => {
  const said = (require: object, resources: object = {}, of = pool()) =>
    eligibility(needs(require, resources), of).ruledOutBy.join('; ');
  assert.equal(said({ pools: ['a', 'b'] }), 'requires pools a or b; this pool has p');
  assert.equal(said({ regions: ['eu'] }), 'requires regions eu; this pool has none');
  assert.equal(said({ archs: ['arm64'] }), 'requires archs arm64; this pool has x64');
  assert.equal(said({}, { cpus: 8 }), 'requires cpus 8; this pool has at most 4 on one agent');
  assert.equal(
    said({}, { memoryBytes: 16 * 1024 ** 3 }),
    'requires memory 16384 MiB; this pool has at most 8192 MiB on one agent',
  );
  assert.equal(said({}, { gpus: 1 }), 'requires gpus 1; this pool has at most 0 on one agent');
  const small = pool({ shapes: [shape({ diskBytes: 2 ** 30 })] });
  assert.equal(
    said({}, { diskBytes: 2 ** 31 }, small),
    'requires disk 2048 MiB; this pool has at most 1024 MiB on one agent',
  );
  assert.equal(said({}, { diskBytes: 2 ** 30 }, small), '');
  assert.equal(said({}, { diskBytes: 2 ** 50 }), '', 'an agent that does not say is not ruled out');
  assert.equal(said({ labels: { disk: 'ssd' } }), 'requires labels disk=ssd; this pool has none');
  assert.equal(
    said({ labels: { disk: 'ssd' } }, {}, pool({ labels: { disk: 'hdd' } })),
    'requires labels disk=ssd; this pool has disk=hdd',
  );
});

test('one single agent must meet everything', () => {
  const mixed = pool({ shapes: [shape({ cpus: 32 }), shape({ gpus: 2 })] });
  assert.equal(eligibility(needs({}, { cpus: 32 }), mixed).eligible, true);
  assert.equal(eligibility(needs({}, { gpus: 1 }), mixed).eligible, true);
  assert.deepEqual(eligibility(needs({}, { cpus: 32, gpus: 1 }), mixed).ruledOutBy, [
    'requires cpus 32, gpus 1 on one agent; this pool has no single agent with all of them',
  ]);
});

test('labels of an agent win over those of its pool', () => {
  const spec = needs({ labels: { disk: 'ssd' } });
  assert.equal(
    eligibility(spec, pool({ labels: { disk: 'hdd' }, shapes: [shape({ labels: { disk: 'ssd' } })] }))
      .eligible,
    true,
  );
  assert.equal(eligibility(spec, pool({ labels: { disk: 'hdd' }, shapes: [] })).eligible, false);
});

test('preferences rank pools and rule none out', () => {
  const spec = specOf({ command: ['true'], placement: { prefer: { regions: ['eu'], archs: ['arm64'] } } });
  const both = pool({ region: 'eu', shapes: [shape({ arch: 'arm64' })] });
  assert.deepEqual(
    [preference(spec, both), preference(spec, pool({ region: 'eu' })), preference(spec, pool())],
    [2, 1, 0],
  );
  assert.equal(eligibility(spec, pool()).eligible, true);
});

test('a person’s move goes over where the job asked to be, not over what its tasks need', () => {
  const spec = needs({ pools: ['p'], providers: ['aws'], regions: ['eu'], labels: { disk: 'ssd' } });
  const target = pool({ name: 'target', labels: { disk: 'ssd' } });
  assert.equal(eligibility(spec, target, 'target').eligible, true);
  assert.deepEqual(eligibility(spec, pool({ name: 'other' }), 'target').ruledOutBy, [
    'requires pools target; this pool has other',
    'requires labels disk=ssd; this pool has none',
  ]);
});
