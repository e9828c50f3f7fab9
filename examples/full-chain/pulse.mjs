/** The calorimeter's electronics, as digitisation makes the pulses and reconstruction reads them. */
export const GEV_PER_COUNT = 0.05;
export const PEDESTAL = 200;
export const NOISE = 1.5;
export const LARGEST_COUNT = 4095;
/** Time between two samples, in units of the shape's rise; the pulse begins with sample 2. */
export const NANOSECONDS_PER_RISE = 50;

export function timeOfSample(n) {
  return (n - 2) / 2;
}

/** Height 1 at x = 2, nothing outside 0…4. */
export function shape(x) {
  return x <= 0 || x >= 4 ? 0 : (x * x * (4 - x) * (4 - x)) / 16;
}

export function slope(x) {
  return x <= 0 || x >= 4 ? 0 : (x * (4 - x) * (2 - x)) / 2;
}
