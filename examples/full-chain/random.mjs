/**
 * Random numbers that are the same on every machine: xoshiro128** seeded by splitmix32.
 *
 * All of the chain keeps to + − × ÷ and √, which IEEE 754 rounds in one way only. Sines, logarithms and
 * exponentials may differ in their last bit from one version of Node to the next, and so would the result.
 */

/** A stream of its own for each seed, chain and step. */
export function makeRandom(seed, chain, step) {
  let mixed = seed >>> 0;
  for (const part of [chain, step]) mixed = splitmix32(mixed + part);
  const state = Array.from({ length: 4 }, (_, n) => splitmix32(mixed + Math.imul(n, 0x9e3779b9)));
  const uniform = () => nextUint32(state) / 2 ** 32;
  return {
    uniform,
    gauss: () => drawGauss(uniform),
    cauchy: () => drawCauchy(uniform),
    direction: () => drawDirection(uniform),
  };
}

function splitmix32(value) {
  let z = (value + 0x9e3779b9) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) >>> 0;
}

function nextUint32(state) {
  const result = Math.imul(rotateLeft(Math.imul(state[1], 5), 7), 9) >>> 0;
  const t = state[1] << 9;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= t;
  state[3] = rotateLeft(state[3], 11);
  return result;
}

function rotateLeft(value, bits) {
  return (value << bits) | (value >>> (32 - bits));
}

/** Mean 0, width 1: the sum of twelve uniforms, which ends at ±6. */
function drawGauss(uniform) {
  let sum = -6;
  for (let n = 0; n < 12; n += 1) sum += uniform();
  return sum;
}

/** The slope of a random direction in the plane is Cauchy distributed: median 0, half width 1. */
function drawCauchy(uniform) {
  for (;;) {
    const x = 2 * uniform() - 1;
    const y = 2 * uniform() - 1;
    if (x !== 0 && x * x + y * y < 1) return y / x;
  }
}

/** A unit vector, every direction alike (Marsaglia 1972). */
function drawDirection(uniform) {
  for (;;) {
    const a = 2 * uniform() - 1;
    const b = 2 * uniform() - 1;
    const s = a * a + b * b;
    if (s < 1) return [2 * a * Math.sqrt(1 - s), 2 * b * Math.sqrt(1 - s), 1 - 2 * s];
  }
}
