/** Messages are sent in Base64: Azure carries them in XML, which not every text survives. */
export const encodeBody = (body: string): string => Buffer.from(body).toString('base64');

/** A text that is no Base64 was written by somebody else; it comes through as it is, for the receiver to reject. */
export const decodeBody = (text: string): string =>
  isBase64(text) ? Buffer.from(text, 'base64').toString() : text;

const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
