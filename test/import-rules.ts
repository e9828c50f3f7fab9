import type { IForbiddenRuleType } from 'dependency-cruiser';

/** Who may import whom (docs/how-it-works.md, "Rooms"). */
export const forbidden: IForbiddenRuleType[] = [
  {
    name: 'no-cycles',
    severity: 'error',
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  {
    name: 'shared-imports-nobody',
    severity: 'error',
    from: { path: '^shared/' },
    to: { path: '^(agent|coordinator|infra|test|bench)/' },
  },
  {
    name: 'agent-imports-shared-only',
    severity: 'error',
    from: { path: '^agent/' },
    to: { path: '^(coordinator|infra|test|bench)/' },
  },
  {
    name: 'only-the-cli-joins-coordinator-and-agent',
    severity: 'error',
    from: { path: '^coordinator/', pathNot: '^coordinator/cli/' },
    to: { path: '^(agent|infra|test|bench)/' },
  },
  {
    name: 'infra-imports-shared-only',
    severity: 'error',
    from: { path: '^infra/' },
    to: { path: '^(coordinator|agent|test|bench)/' },
  },
  {
    name: 'core-is-pure',
    severity: 'error',
    from: { path: '^coordinator/core/' },
    to: {
      path: '^(coordinator/(state|services|http|cli)/|node:|(fs|child_process|http|net|timers|sqlite)$)',
      pathNot: '^(node:)?(path|util)$',
      dependencyTypesNot: ['type-only'],
    },
  },
  {
    name: 'only-state-speaks-sql',
    severity: 'error',
    from: {
      path: '^(coordinator|agent)/',
      pathNot: '^(coordinator/state/|coordinator/lock.ts|agent/leftovers.ts|agent/lock.ts)',
    },
    to: { path: '^(node:)?sqlite$' },
  },
  {
    name: 'providers-are-opened-not-imported',
    severity: 'error',
    from: { path: '^(coordinator|agent|infra)/' },
    to: { path: '^shared/providers/(local|aws|azure|memory)/' },
  },
  {
    name: 'the-sdk-of-aws-stays-in-its-provider',
    severity: 'error',
    from: { pathNot: '^shared/providers/aws/' },
    to: { path: '^node_modules/@(aws-sdk|smithy)/' },
  },
  {
    name: 'the-sdk-of-azure-stays-in-its-provider',
    severity: 'error',
    from: { pathNot: '^shared/providers/azure/' },
    to: { path: '^node_modules/@azure/' },
  },
];
