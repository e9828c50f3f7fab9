import type { JobSpec, Requirement } from '../../shared/job-spec.ts';

/** What one kind of agent offers to a task. */
export interface AgentShape {
  arch: string;
  cpus: number;
  memoryBytes: number;
  gpus: number;
  /** Null: it does not say, and so nothing is held against it. */
  diskBytes: number | null;
  labels: Readonly<Record<string, string>>;
}

/** A pool as placement sees it: what is configured, and the distinct kinds of its live agents. */
export interface PlacePool {
  name: string;
  provider: string;
  region: string | null;
  /** Empty: whatever its agents say. */
  archs: readonly string[];
  labels: Readonly<Record<string, string>>;
  pricePerCpuHour: number;
  shapes: readonly AgentShape[];
}

export interface Eligibility {
  eligible: boolean;
  /** One text per requirement that the pool does not meet: the requirement, its value, and what the pool has. */
  ruledOutBy: string[];
}

/**
 * May a task of this job run in this pool (DESIGN §7)? A pool without live agents is judged by what is configured
 * alone; with agents, one single agent must meet everything.
 */
export function eligibility(given: JobSpec, pool: PlacePool, movedTo: string | null = null): Eligibility {
  const spec = movedTo === null ? given : moved(given, movedTo);
  const ruledOutBy = [...configuredProblems(spec.placement.require, pool), ...agentProblems(spec, pool)];
  return { eligible: ruledOutBy.length === 0, ruledOutBy };
}

/** A person's word goes over where the job asked to be, but not over what its tasks need to run. */
function moved(spec: JobSpec, pool: string): JobSpec {
  const { providers: _providers, regions: _regions, ...needs } = spec.placement.require;
  return { ...spec, placement: { ...spec.placement, require: { ...needs, pools: [pool] } } };
}

/** How many of the job's preferences the pool meets: the higher, the earlier it is tried. */
export function preference(spec: JobSpec, pool: PlacePool): number {
  const { prefer } = spec.placement;
  const asked = Object.values(prefer).filter((value) => value !== undefined).length;
  const missed = configuredProblems(prefer, pool).length + missedByAgents(prefer, pool);
  return asked - missed;
}

function configuredProblems(require: Requirement, pool: PlacePool): string[] {
  const checks: [string, readonly string[] | undefined, string | null][] = [
    ['pools', require.pools, pool.name],
    ['providers', require.providers, pool.provider],
    ['regions', require.regions, pool.region],
  ];
  const problems = checks.flatMap(([what, asked, has]) =>
    asked === undefined || (has !== null && asked.includes(has))
      ? []
      : [`requires ${what} ${asked.join(' or ')}; this pool has ${has ?? 'none'}`],
  );
  if (
    require.archs !== undefined &&
    pool.archs.length > 0 &&
    !pool.archs.some((arch) => require.archs?.includes(arch))
  ) {
    problems.push(`requires archs ${require.archs.join(' or ')}; this pool has ${pool.archs.join(', ')}`);
  }
  if (pool.shapes.length === 0) {
    for (const [name, value] of Object.entries(require.labels ?? {})) {
      // An agent yet to come may bring a label that the configuration does not know, but not change one that it does.
      const has = pool.labels[name];
      if (has !== undefined && has !== value)
        problems.push(`requires labels ${name}=${value}; this pool has ${name}=${has}`);
    }
  }
  return problems;
}

interface Need {
  text: string;
  met: (shape: AgentShape) => boolean;
  /** What the pool's agents have at best. */
  has: () => string;
}

function agentProblems(spec: JobSpec, pool: PlacePool): string[] {
  if (pool.shapes.length === 0) return [];
  const needs = [...resourceNeeds(spec, pool), ...requirementNeeds(spec.placement.require, pool)];
  const missing = needs.filter(({ met }) => !pool.shapes.some((shape) => met(shape)));
  if (missing.length > 0) return missing.map(({ text, has }) => `requires ${text}; this pool has ${has()}`);
  if (pool.shapes.some((shape) => needs.every(({ met }) => met(shape)))) return [];
  return [
    `requires ${needs.map(({ text }) => text).join(', ')} on one agent; this pool has no single agent with all of them`,
  ];
}

function resourceNeeds({ resources }: JobSpec, pool: PlacePool): Need[] {
  const largest = (of: (shape: AgentShape) => number): number => Math.max(...pool.shapes.map(of));
  const { cpus, memoryBytes, gpus, diskBytes } = resources;
  const needs: Need[] = [
    {
      text: `cpus ${cpus}`,
      met: (shape) => shape.cpus >= cpus,
      has: () => `at most ${largest((shape) => shape.cpus)} on one agent`,
    },
  ];
  if (memoryBytes !== null) {
    needs.push({
      text: `memory ${asMebibytes(memoryBytes)}`,
      met: (shape) => shape.memoryBytes >= memoryBytes,
      has: () => `at most ${asMebibytes(largest((shape) => shape.memoryBytes))} on one agent`,
    });
  }
  if (gpus > 0) {
    needs.push({
      text: `gpus ${gpus}`,
      met: (shape) => shape.gpus >= gpus,
      has: () => `at most ${largest((shape) => shape.gpus)} on one agent`,
    });
  }
  if (diskBytes !== null) {
    needs.push({
      text: `disk ${asMebibytes(diskBytes)}`,
      met: (shape) => (shape.diskBytes ?? Infinity) >= diskBytes,
      has: () => `at most ${asMebibytes(largest((shape) => shape.diskBytes ?? Infinity))} on one agent`,
    });
  }
  return needs;
}

function requirementNeeds(require: Requirement, pool: PlacePool): Need[] {
  const needs: Need[] = Object.entries(require.labels ?? {}).map(([name, value]) => ({
    text: `labels ${name}=${value}`,
    met: (shape) => (shape.labels[name] ?? pool.labels[name]) === value,
    has: () =>
      listed(
        pool.shapes.map((shape) => shape.labels[name] ?? pool.labels[name]),
        (has) => `${name}=${has}`,
      ),
  }));
  const { archs } = require;
  if (archs !== undefined) {
    needs.push({
      text: `archs ${archs.join(' or ')}`,
      met: (shape) => archs.includes(shape.arch),
      has: () =>
        listed(
          pool.shapes.map((shape) => shape.arch),
          (arch) => arch,
        ),
    });
  }
  return needs;
}

const missedByAgents = (prefer: Requirement, pool: PlacePool): number =>
  requirementNeeds(prefer, pool).filter(
    ({ met }) => pool.shapes.length > 0 && !pool.shapes.some((shape) => met(shape)),
  ).length;

const asMebibytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`;

function listed(values: readonly (string | undefined)[], show: (value: string) => string): string {
  const known = [...new Set(values.filter((value) => value !== undefined))];
  return known.length === 0 ? 'none' : known.map(show).join(', ');
}
