import type { Difference } from '../manage.ts';

/** AWS refuses signatures from 5 minutes (SQS: 15) on; the SDK corrects its own, but not what others sign by this clock. */
const MOST_SKEW_MS = 60_000;

/** The answer's own time against ours; undefined when they agree, or nothing was said. */
export function clockDifference(
  thing: string,
  date: string | undefined,
  now: number,
): Difference | undefined {
  const theirs = Date.parse(date ?? '');
  const skewMs = now - theirs;
  if (Number.isNaN(theirs) || Math.abs(skewMs) < MOST_SKEW_MS) return undefined;
  const seconds = Math.round(Math.abs(skewMs) / 1_000);
  return {
    thing,
    setting: 'clock',
    is: `this machine is ${seconds} s ${skewMs > 0 ? 'ahead' : 'behind'}`,
    shouldBe: 'within 60 s of AWS',
    fix: 'Set the clock of this machine: timedatectl set-ntp true',
    gravity: 'failed',
    mendable: false,
  };
}

interface Watched {
  middlewareStack: {
    add(
      middleware: (next: Step) => Step,
      options: { step: 'deserialize'; priority: 'low'; name: string; override: true },
    ): void;
  };
}
type Step = (args: unknown) => Promise<{ response: unknown }>;

/** Tells `see` the `Date` of every answer to this client. */
export function watchDates(client: object, see: (date: string | undefined) => void): void {
  (client as Watched).middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers = {} } = result.response as { headers?: Record<string, string> };
      see(headers['date']);
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'clobiDates', override: true },
  );
}
