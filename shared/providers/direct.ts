/**
 * Uploads by somebody without credentials: whoever owns the store hands out URLs, the bytes do not pass through it.
 * A store that has no such thing (local files) lacks `direct`.
 */
export interface DirectUploads {
  /**
   * Begins an upload to `key`, or goes on with one begun earlier for the same key and size: `done` names the parts that
   * the store holds already.
   */
  begin(key: string, sizeBytes: number): Promise<UploadPlan>;
  /** One request a part; each may be made until it expires, and again if it failed. */
  sign(
    plan: Pick<UploadPlan, 'key' | 'upload'>,
    parts: readonly PartToSign[],
    expiresMs: number,
  ): Promise<SignedRequest[]>;
  /** Makes the object of its parts; it is there whole, or not at all. Doing it again after it worked is fine. */
  finish(plan: Pick<UploadPlan, 'key' | 'upload' | 'sizeBytes'>): Promise<void>;
  /** Forgets an upload that was begun; doing it twice is fine. */
  abandon(plan: Pick<UploadPlan, 'key' | 'upload'>): Promise<void>;
}

export interface UploadPlan {
  key: string;
  sizeBytes: number;
  /** The store's name for this upload. */
  upload: string;
  /** Size of every part but the last, in bytes. A file of 0 bytes is one part of 0 bytes. */
  partBytes: number;
  /** Numbers (from 1) of the parts that are there already. */
  done: readonly number[];
}

export interface PartToSign {
  /** From 1. */
  number: number;
  /** Of the part's bytes, in hexadecimal: the store refuses other bytes where it can. */
  sha256: string;
  /** Of the part's bytes, in Base64. */
  md5: string;
}

export interface SignedRequest {
  method: 'PUT';
  url: string;
  /** Must be sent as they are. */
  headers: Readonly<Record<string, string>>;
}
