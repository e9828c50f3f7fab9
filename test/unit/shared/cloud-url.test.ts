import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCode, messageOf } from '../../../shared/errors.ts';
import { formatCloudUrl, parseCloudUrl } from '../../../shared/providers/url.ts';

test('queues and stores of the clouds are read', () => {
  const none = { endpoint: undefined, region: undefined, credentials: 'default' };
  assert.deepEqual(parseCloudUrl('sqs://eu-central-1/clobi-aws-units'), {
    ...none,
    kind: 'sqs',
    host: 'eu-central-1',
    path: 'clobi-aws-units',
  });
  assert.deepEqual(
    parseCloudUrl('s3://results/run%20one/?endpoint=http://127.0.0.1:9000/&region=eu-west-1&credentials=env'),
    {
      kind: 's3',
      host: 'results',
      path: 'run one',
      endpoint: 'http://127.0.0.1:9000',
      region: 'eu-west-1',
      credentials: 'env',
    },
  );
  assert.equal(parseCloudUrl('s3://results').path, '');
});

test('what is formatted is read back as it was', () => {
  const part = fc
    .string({ minLength: 1, maxLength: 12 })
    .filter((text) => !/[/.]/.test(text) && text.isWellFormed());
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), part, (parts, credentials) => {
      const url = {
        kind: 'azblob' as const,
        host: 'account',
        path: parts.join('/'),
        endpoint: 'http://127.0.0.1:1/x',
        region: undefined,
        credentials,
      };
      assert.deepEqual(parseCloudUrl(formatCloudUrl(url)), url);
    }),
  );
});

test('what is wrong is named, and no secret is repeated', () => {
  const wrong: [string, RegExp][] = [
    ['sqs://eu-central-1', /go on with \/QUEUE/],
    ['azblob://account/', /go on with \/CONTAINER/],
    ['s3:results', /no URL of a cloud/],
    ['ftp://x/y', /no URL of a cloud/],
    ['s3://b/p?endpoint=127.0.0.1', /no http\(s\) URL/],
    ['s3://b/p?regoin=x', /unknown option regoin; known: endpoint, region/],
    ['azblob://account/c?sv=1&sig=topsecret', /holds a secret/],
    ['s3://key:topsecret@b/p', /holds a secret/],
  ];
  for (const [url, expected] of wrong) {
    assert.throws(
      () => parseCloudUrl(url),
      (error) => {
        assert.ok(isCode(error, 'INVALID_CONFIG'));
        assert.match(messageOf(error), expected);
        assert.doesNotMatch(messageOf(error), /topsecret/);
        return true;
      },
    );
  }
});
