import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { z } from 'zod';
import { controlSchema } from '../../../../shared/wire/control.ts';
import { eventBatchSchema, outcomeSchema } from '../../../../shared/wire/event.ts';
import { overMarkSchema } from '../../../../shared/wire/over-mark.ts';
import { unseal, verifierOf } from '../../../../shared/wire/signature.ts';
import { MAX_UNIT_BYTES, UNIT_VERSION, unitBodySchema } from '../../../../shared/wire/unit.ts';
import { verdictSchema } from '../../../../shared/wire/verdict.ts';

/** Wire texts as each version wrote them. They are never edited: a queue or store may still hold the like. */
const GOLDEN = new URL('../../../fixtures/golden/', import.meta.url);

const fileOf = (version: string, file: string): string =>
  readFileSync(new URL(`${version}/${file}`, GOLDEN), 'utf8');
const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

for (const version of readdirSync(GOLDEN)) {
  const text = (file: string): string => fileOf(version, file);

  describe(`wire texts of ${version}`, () => {
    it('units are read and verified', () => {
      const sealed = unseal(text('unit.txt'))!;
      assert.ok(verifierOf(text('unit-key.pem'))(sealed.body, sealed.signature));
      assert.ok(sealed.body.length <= MAX_UNIT_BYTES);
      const unit = reads(unitBodySchema, sealed.body);
      assert.ok(unit.v <= UNIT_VERSION);
      assert.deepEqual(
        unit.tasks.map((task) => task.index),
        [0, 3],
      );
    });

    it('events are read, each kind of them', () => {
      const kinds = eventBatchSchema.shape.events.element.options.map((option) => option.shape.type.value);
      const { events } = reads(eventBatchSchema, text('event.json'));
      assert.deepEqual([...new Set(events.map((event) => event.type))].sort(), [...kinds].sort());
    });

    it('segments are read', () => {
      const outcomes = linesOf(text('segment.ndjson')).map((line) => reads(outcomeSchema, line));
      assert.deepEqual(
        outcomes.map((outcome) => outcome.result),
        ['succeeded', 'failed'],
      );
    });

    it('the control document is read', () => {
      assert.equal(reads(controlSchema, text('control.json')).revokes.length, 2);
    });

    it('marks of finished jobs are read', () => {
      assert.equal(reads(overMarkSchema, text('over.json')).epoch, 1);
    });

    it('verdicts are read', () => {
      const verdicts = linesOf(text('verdict.ndjson')).map((line) => reads(verdictSchema, line));
      assert.deepEqual(
        verdicts.map((verdict) => verdict.state),
        ['succeeded', 'cancelled', 'failed'],
      );
    });
  });
}

/** Reads the text without loss, and reads it alike with fields of a later version at every level. */
function reads<T>(schema: z.ZodType<T>, text: string): T {
  const value: unknown = JSON.parse(text);
  const read = schema.parse(value);
  assertHolds(read, value, '');
  assert.deepEqual(schema.parse(withUnknownFields(value)), read);
  return read;
}

/** Everything that was written is in what was read; what was read may hold defaults of later fields beside it. */
function assertHolds(read: unknown, written: unknown, path: string): void {
  if (typeof written !== 'object' || written === null) {
    assert.deepEqual(read, written, path);
    return;
  }
  assert.ok(typeof read === 'object' && read !== null, path);
  for (const [field, value] of Object.entries(written)) {
    assertHolds((read as Record<string, unknown>)[field], value, `${path}.${field}`);
  }
}

/** Objects whose fields are names of the user's, not of ours. */
const MAPS = new Set(['labels', 'env', 'matrix']);

function withUnknownFields(value: unknown, field = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withUnknownFields(item));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, withUnknownFields(inner, name)]);
  const isMap = MAPS.has(field) && !('axes' in value);
  return { ...Object.fromEntries(entries), ...(isMap ? {} : { zzLater: { nested: [1] } }) };
}
