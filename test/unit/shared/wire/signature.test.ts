import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newKeyPair, seal, signerOf, unseal, verifierOf } from '../../../../shared/wire/signature.ts';

const keys = newKeyPair();
const sign = signerOf(keys.privateKey);
const verify = verifierOf(keys.publicKey);
const BODY = '{"unit":"1-A","tasks":[{"index":0}],"name":"é.."}';

describe('signature', () => {
  it('verifies what was signed', () => {
    assert.ok(verify(BODY, sign(BODY)));
    assert.ok(verify('', sign('')));
  });

  it('fails when any byte of the body differs', () => {
    const signature = sign(BODY);
    for (let at = 0; at < BODY.length; at += 1) {
      const other = BODY.slice(0, at) + String.fromCharCode(BODY.charCodeAt(at) ^ 1) + BODY.slice(at + 1);
      assert.equal(verify(other, signature), false, `at ${at}`);
    }
    assert.equal(verify(`${BODY} `, signature), false);
    assert.equal(verify(BODY.slice(0, -1), signature), false);
  });

  it('fails when any bit of the signature differs', () => {
    const bytes = Buffer.from(sign(BODY), 'base64');
    for (let at = 0; at < bytes.length * 8; at += 1) {
      const other = Buffer.from(bytes);
      other[at >> 3] = other[at >> 3]! ^ (1 << (at & 7));
      assert.equal(verify(BODY, other.toString('base64')), false, `bit ${at}`);
    }
  });

  it('fails under another key', () => {
    assert.equal(verifierOf(newKeyPair().publicKey)(BODY, sign(BODY)), false);
    assert.equal(verify(BODY, signerOf(newKeyPair().privateKey)(BODY)), false);
  });

  it('takes nonsense for no signature, and throws at none', () => {
    for (const text of ['', 'x', '====', 'é', 'A'.repeat(1_000), sign(BODY).slice(0, 40)]) {
      assert.equal(verify(BODY, text), false, text);
    }
  });
});

describe('seal', () => {
  it('comes apart as it was put together, whatever dots the body has', () => {
    assert.deepEqual(unseal(seal(BODY, 'c2ln')), { signature: 'c2ln', body: BODY });
    assert.deepEqual(unseal('c2ln.'), { signature: 'c2ln', body: '' });
    const signature = sign(BODY);
    assert.deepEqual(unseal(seal(BODY, signature)), { signature, body: BODY });
  });

  it('is refused without a signature part', () => {
    for (const text of ['', BODY.replaceAll('.', ''), `.${BODY}`, `${'A'.repeat(129)}.${BODY}`]) {
      assert.equal(unseal(text), undefined);
    }
  });
});
