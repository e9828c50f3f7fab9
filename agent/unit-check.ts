import { isPlanted } from '../shared/fault.ts';
import type { AgentEvent } from '../shared/wire/event.ts';
import { unseal } from '../shared/wire/signature.ts';
import { MAX_UNIT_BYTES, UNIT_VERSION, type UnitBody, unitBodySchema } from '../shared/wire/unit.ts';

/** Why an agent hands a unit back without running it. */
export type ReturnReason = Extract<AgentEvent, { type: 'returned' }>['why'];

/** Room for the signature in Base64 and the dot before the JSON. */
const ENVELOPE_BYTES = 129;

/** How far an agent's clock may run ahead before it takes a good unit for an expired one (R10). */
export const EXPIRY_MARGIN_MS = 10 * 60_000;

export interface Expectation {
  ns: string;
  pool: string;
  verify: (body: string, signature: string) => boolean;
}

/** `poison`: no unit of this pool, whatever it is; nothing in it may be believed or touched. */
export type ReadUnit = { kind: 'unit'; body: UnitBody } | { kind: 'poison'; why: string };

const poison = (why: string): ReadUnit => ({ kind: 'poison', why });

/** What a message is. Checks in the order of R3, each before anything that rests on it: size, JSON, version, shape, signature, addressee. */
export function readUnit(text: string, expected: Expectation): ReadUnit {
  if (Buffer.byteLength(text) > MAX_UNIT_BYTES + ENVELOPE_BYTES) return poison('too large');
  const sealed = unseal(text);
  if (sealed === undefined) return poison('no signature part');
  const json = parseJson(sealed.body);
  if (typeof json !== 'object' || json === null) return poison('not a JSON object');
  const version = 'v' in json ? json.v : undefined;
  if (typeof version !== 'number' || version > UNIT_VERSION) return poison(`version is not ${UNIT_VERSION}`);
  const parsed = unitBodySchema.safeParse(json);
  if (!parsed.success) return poison(`not a unit: ${parsed.error.issues[0]?.path.join('.') ?? ''}`);
  if (!expected.verify(sealed.body, sealed.signature)) return poison('bad signature');
  const { ns, pool } = parsed.data;
  if (ns !== expected.ns || pool !== expected.pool) return poison(`addressed to ${ns}/${pool}`);
  return { kind: 'unit', body: parsed.data };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface Circumstances {
  /** By this machine's clock. */
  now: number;
  receiveCount: number;
  /** This boot has met the unit before. */
  recent: boolean;
  /** The control document revokes the unit as a whole. */
  revoked: boolean;
  /** The control document asks for it back. */
  recalled: boolean;
  draining: boolean;
}

/** Why this unit must not be run here, or undefined (R3). Somebody may have begun it, or nobody wants it any more. */
export function refusalOf(unit: UnitBody, found: Circumstances): ReturnReason | undefined {
  if (found.now > unit.notAfter + EXPIRY_MARGIN_MS) return 'expired';
  if (found.receiveCount > 1 && !isPlanted('run-redelivered')) return 'redelivered';
  if (found.recent) return 'recent';
  if (found.revoked) return 'revoked';
  if (found.recalled) return 'recalled';
  return found.draining ? 'draining' : undefined;
}
