import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';

/**
 * A unit on the wire is `<signature in Base64>.<canonical JSON of the unit>`. The signature (Ed25519) covers
 * the very bytes of the JSON text, so no two parsers can disagree on what was signed.
 */
export const seal = (body: string, signature: string): string => `${signature}.${body}`;

/** Splits a sealed text; undefined when it has no signature part. */
export function unseal(text: string): { signature: string; body: string } | undefined {
  const dot = text.indexOf('.');
  return dot > 0 && dot <= 128 ? { signature: text.slice(0, dot), body: text.slice(dot + 1) } : undefined;
}

/** PEM texts. The private one never leaves the coordinator; agents get the public one when deployed. */
export function newKeyPair(): { privateKey: string; publicKey: string } {
  return generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}

/** The public half, as PEM. */
export const publicKeyOf = (privateKeyPem: string): string =>
  createPublicKey(privateKeyPem).export({ type: 'spki', format: 'pem' }).toString();

/** The signer for one private key, parsed once. */
export function signerOf(privateKeyPem: string): (body: string) => string {
  const key = createPrivateKey(privateKeyPem);
  return (body) => sign(null, Buffer.from(body), key).toString('base64');
}

/** The verifier for one public key, parsed once. False for anything that is not a good signature. */
export function verifierOf(publicKeyPem: string): (body: string, signature: string) => boolean {
  const key = createPublicKey(publicKeyPem);
  return (body, signature) => verify(null, Buffer.from(body), key, Buffer.from(signature, 'base64'));
}
