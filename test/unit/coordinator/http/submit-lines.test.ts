import assert from 'node:assert/strict';
import { request, type ClientRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { readText } from '../../../../coordinator/services/read-segments.ts';
import type { JobId } from '../../../../shared/ids.ts';
import { itemsKey } from '../../../../shared/wire/keys.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { specOf } from '../services/rig.ts';
import { type Api, openApi, TOKEN } from './rig.ts';

/** A body under way; nobody need wait for its answer. */
function begin(
  api: Api,
  type = 'application/x-ndjson',
): { sent: ClientRequest; answer: Promise<{ status: number; text: string }> } {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': type };
  const sent = request(`${api.url}/v1/jobs`, { method: 'POST', headers });
  const answer = new Promise<{ status: number; text: string }>((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, text: body }), reject);
    });
  });
  answer.catch(() => undefined);
  return { sent, answer };
}

function submit(api: Api, body: string | Buffer): Promise<{ status: number; text: string }> {
  const { sent, answer } = begin(api);
  sent.end(body);
  return answer;
}

const specFor = (count: number, change: Parameters<typeof specOf>[0] = {}): string =>
  `${JSON.stringify(specOf({ tasks: { kind: 'items', count }, ...change }))}\n`;

/** No job, and no items that wait for one. */
function assertNothingThere(api: Api): void {
  const { state } = api.rig.context;
  assert.equal(state.totals().jobs + state.stagedJobs().length, 0);
  assert.equal(state.dropLooseItemSets(), 0);
}

describe('a job sent as lines', () => {
  test('has each line’s parameters, and an object with all of them', async () => {
    await using api = await openApi();
    const COUNT = 40_000;
    const items = Array.from({ length: COUNT }, (_, n) =>
      n % 2 === 0 ? { item: `é${String(n)}` } : { inputs: [], item: { n, a: [n] } },
    );
    const lines = items.map((item) => JSON.stringify(item)).join('\n');
    const { status, text } = await submit(api, `${specFor(COUNT, { idempotencyKey: 'k' })}${lines}`);
    assert.equal(status, 201, text);
    const { job } = JSON.parse(text) as { job: JobId };
    const { state, store } = api.rig.context;
    for (const index of [0, 1, 255, 256, 20_001, COUNT - 1])
      assert.deepEqual(state.params(job, index), items[index]);
    const stored = (await readText(store, itemsKey(job))).trimEnd().split('\n');
    assert.deepEqual(
      stored.map((line) => JSON.parse(line) as unknown),
      items,
    );
    assert.doesNotMatch(stored[0] ?? '', /é/);
    const again = await submit(api, `${specFor(COUNT, { idempotencyKey: 'k' })}${lines}\n`);
    assert.deepEqual([again.status, JSON.parse(again.text)], [200, { job, tasks: COUNT, created: false }]);
    assert.equal(state.dropLooseItemSets(), 0);
  });

  test('may be one without items', async () => {
    await using api = await openApi();
    assert.equal((await submit(api, JSON.stringify(specOf()))).status, 201);
    const wrong = await submit(api, `${JSON.stringify(specOf())}\n{"item":"a"}`);
    assert.deepEqual([wrong.status, /Items were sent for a job of kind/.test(wrong.text)], [400, true]);
  });

  test('may begin with a byte order mark, end lines as Windows does, and name its type in capitals', async () => {
    await using api = await openApi();
    const { sent, answer } = begin(api, 'Application/X-NDJSON; charset=UTF-8');
    sent.end(`\uFEFF${specFor(2)}{"item":"[[["}\n\n{"item":"a"}\n`.replaceAll('\n', '\r\n'));
    const { status, text } = await answer;
    assert.equal(status, 201, text);
    const { job } = JSON.parse(text) as { job: JobId };
    assert.deepEqual(api.rig.context.state.params(job, 0), { item: '[[[' });
  });

  test('is refused where its nesting has no end, at once', async () => {
    await using api = await openApi();
    const deep = (open: string, close: string, levels: number): string =>
      `${open.repeat(levels)}1${close.repeat(levels)}`;
    for (const value of [deep('{"a":', '}', 5_000), deep('{"a":', '}', 32), deep('[', ']', 1_000_000)]) {
      const { status, text } = await submit(api, `${specFor(1)}{"item":${value}}`);
      assert.deepEqual([status, /Line 2 is nested deeper than 32 levels/.test(text)], [413, true], text);
      const spec = await submit(api, `${value.replace('1', deep('[', ']', 40))}\n`);
      assert.match(spec.text, /Line 1 is nested deeper/);
    }
    const brackets = `{"item":{"a":"${'[{'.repeat(50)}","b":"\\\\","c":"\\"${'['.repeat(50)}"}}`;
    const long = brackets.replace('"b"', `"x":"${'\\"]['.repeat(20_000)}","b"`);
    const fine = await submit(api, `${specFor(3)}${brackets}\n${long}\n{"item":${deep('{"a":', '}', 31)}}`);
    assert.equal(fine.status, 201, fine.text);
  });

  test('is nothing at all when it is wrong anywhere, and the answer says where', async () => {
    await using api = await openApi();
    const many = '{"item":"x"}\n'.repeat(20_000);
    const wrong: [string | Buffer, RegExp][] = [
      ['', /line 1/],
      ['{"v":1', /line 1/],
      [specFor(2).replace('"priority":0', '"priority":1e6'), /line 1\.priority/],
      [`${specFor(2)}{"item":"a"}\n`, /says 2 items, but 1 were sent/],
      [`${specFor(20_001)}${many}`, /says 20001 items, but 20000 were sent/],
      [`${specFor(19_999)}${many}{"item":1}\n{}`, /says 19999 items, but more were sent/],
      [`${specFor(20_001)}${many}{"item":`, /Line 20002 .* no JSON/],
      [`${specFor(3)}{"item":"a"}\n\n[1]\n{"item":"b"}`, /Line 4 holds no parameters/],
      [`${specFor(3)}{"item":null}`, /Line 2 .*item/],
      [Buffer.concat([Buffer.from(specFor(1)), Buffer.from([0x22, 0xff, 0x22])]), /UTF-8/],
      [`${specFor(1, { placement: { require: { pools: ['moon'] }, prefer: {} } })}{"item":1}`, /pool moon/],
    ];
    for (const [body, message] of wrong) {
      const { status, text } = await submit(api, body);
      assert.equal(status, 400, text);
      assert.match(text, message);
    }
    const endless = await submit(api, `${specFor(1)}{"item":"${'x'.repeat(17 * 1024 * 1024)}"}`);
    assert.deepEqual([endless.status, /Line 2 has more than/.test(endless.text)], [413, true]);
    assertNothingThere(api);
  });

  test('is nothing when its body breaks off half-way', async () => {
    await using api = await openApi();
    const { state } = api.rig.context;
    const { sent } = begin(api);
    sent.write(specFor(100_000) + '{"item":"x"}\n'.repeat(50_000));
    // The first set of this state.
    await waitFor('items have arrived', () => state.itemSetSize(1).items > 0);
    sent.destroy();
    await waitFor('they are gone', () => state.itemSetSize(1).items === 0);
    assertNothingThere(api);
  });
});
