import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePlace, finishOf, rankPlaces } from '../../../../coordinator/core/choose.ts';

const choice = (name: string, finishMs: number, pricePerCpuHour = 0, liked = 0) => ({
  name,
  finishMs,
  pricePerCpuHour,
  liked,
});
const order = (choices: ReturnType<typeof choice>[], alikeMs = 100): string =>
  rankPlaces(choices, alikeMs)
    .map(({ name }) => name)
    .join(' ');

test('the earliest finish wins, and the price among those that would be done at about the same time', () => {
  assert.equal(order([choice('late', 500), choice('soon', 10)]), 'soon late');
  assert.equal(
    order([choice('soon', 10, 2), choice('cheap', 100, 1), choice('cheapest', 900, 0)]),
    'cheap soon cheapest',
  );
  assert.equal(order([choice('a', 50, 1), choice('b', 40, 1)]), 'b a', 'at one price the earlier');
  assert.equal(order([choice('a', 5), choice('b', 5)]), 'a b', 'else their order');
});

test('what the job prefers comes before any finish or price', () => {
  assert.equal(order([choice('free', 0, 0, 0), choice('liked', 9_000, 9, 1)]), 'liked free');
});

test('a pool without agents would never be done, and is still better than none', () => {
  assert.equal(finishOf(100, 0, 1), Number.POSITIVE_INFINITY);
  assert.equal(finishOf(100, 4, 1), 26);
  assert.equal(order([choice('empty', finishOf(0, 0, 1), 0), choice('busy', 1e9, 9)]), 'busy empty');
  assert.equal(choosePlace([choice('empty', Number.POSITIVE_INFINITY)], 100)?.name, 'empty');
  assert.deepEqual(rankPlaces([], 100), []);
});
