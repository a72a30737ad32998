/**
 * Who may import whom: `main → daemon → adapters → ports → core`, never back (docs/architecture.md draws it). `npm run check`
 * and test/unit/repository-layers.test.ts hold the code to it. Tests, benches and scripts may reach anywhere.
 */

const WORKSPACES = '(proto|firmware-bridge|agent|vehicle-client)';
const TYPES_ONLY = ['type-only'];

/**
 * The core of a workspace: from elsewhere it takes types alone, of Node only `assert`, and packages only where they are pure:
 * no I/O, no clock, no randomness in what is called of them.
 */
function pureCore(name, core, typesFrom, purePackages = []) {
  return [
    {
      name: `${name}-imports`,
      comment:
        'The decisions have no I/O, no clock and no randomness of their own, so one seed replays any run.',
      severity: 'error',
      from: { path: core },
      to: { pathNot: [core, '^(node:)?assert(/strict)?$', ...typesFrom, ...purePackages] },
    },
    {
      name: `${name}-types-only`,
      comment: 'From outside the core only types come in ("import type").',
      severity: 'error',
      from: { path: core },
      to: { path: typesFrom, pathNot: [core], dependencyTypesNot: TYPES_ONLY },
    },
  ];
}

module.exports = {
  forbidden: [
    ...pureCore(
      'agent-core',
      '^agent/core/',
      ['^proto/index\\.ts$', '^firmware-bridge/index\\.ts$'],
      // Constraints: an evaluator without dependencies; its functions of time are refused (docs/decisions/0014-…).
      // Windows of tariffs: asked for the time after a given one, in a given zone, and nothing else (docs/decisions/0021-…).
      ['node_modules/@marcbachmann/cel-js/', 'node_modules/croner/'],
    ),
    ...pureCore('vehicle-client-core', '^vehicle-client/core/', [
      '^proto/index\\.ts$',
      '^vehicle-client/ports?\\.ts$',
      '^vehicle-client/[^/]+/port\\.ts$',
    ]),
    {
      name: 'adapters-below-the-daemon',
      comment:
        'An adapter implements a port. It knows the port, what the core calls things, and its own kind.',
      severity: 'error',
      from: { path: '^agent/adapters/' },
      to: {
        path: '^agent/',
        pathNot: ['^agent/adapters/', '^agent/ports\\.ts$', '^agent/[a-z-]+-error\\.ts$', '^agent/core/'],
      },
    },
    {
      name: 'ports-are-types',
      comment: 'A port says what the core needs around it, in types.',
      severity: 'error',
      from: { path: '^agent/ports\\.ts$' },
      to: { dependencyTypesNot: TYPES_ONLY },
    },
    {
      name: 'daemon-imported-by-main-alone',
      comment: 'The daemon wires everything; whoever imports it gets everything.',
      severity: 'error',
      from: { path: `^${WORKSPACES}/`, pathNot: '^agent/(main|index)\\.ts$' },
      to: { path: '^agent/daemon\\.ts$' },
    },
    {
      name: 'main-imported-by-nobody',
      severity: 'error',
      from: { path: `^${WORKSPACES}/`, pathNot: '^[^/]+/bin/' },
      to: { path: '^(agent/main|(agent|vehicle-client)/cli/main|firmware-bridge/ocpp/relay/main)\\.ts$' },
    },
    {
      name: 'cli-talks-to-the-socket',
      comment:
        'The operator commands know the control socket and the configuration, nothing else of the agent but types.',
      severity: 'error',
      from: { path: '^agent/cli/' },
      to: {
        path: '^agent/',
        pathNot: [
          '^agent/(cli|node_modules)/',
          '^agent/adapters/control-socket',
          '^agent/config',
          '^agent/version\\.ts$',
          // `plugpool restore` works where no agent runs; it is loaded by that command alone.
          '^agent/restore-store\\.ts$',
          // And `plugpool ledger verify --store`.
          '^agent/verify-store\\.ts$',
          // `plugpool firmware replay` and `record` work where no agent runs; loaded by those commands alone.
          '^agent/(replay|record)-recording\\.ts$',
          // `plugpool credits verify`, which asks no agent either.
          '^agent/credits/verify-credits\\.ts$',
          // What an exported head looks like.
          '^agent/signed-head\\.ts$',
        ],
        dependencyTypesNot: TYPES_ONLY,
      },
    },
    {
      name: 'cli-without-the-daemons-packages',
      severity: 'error',
      from: { path: '^agent/cli/' },
      to: { path: 'node_modules/(aedes|better-sqlite3|node-cron)/' },
    },
    {
      name: 'agent-and-vehicle-apart',
      comment: 'They share proto and nothing else, so that a vehicle installs without what a pile needs.',
      severity: 'error',
      from: { path: '^(agent|vehicle-client|firmware-bridge|proto)/' },
      to: { path: '^(agent|vehicle-client)/', pathNot: '^$1/' },
    },
    {
      name: 'vehicle-without-firmware',
      severity: 'error',
      from: { path: '^(vehicle-client|proto)/' },
      to: { path: '^firmware-bridge/' },
    },
    {
      name: 'one-public-entry',
      comment: 'From outside, a workspace is its index.ts.',
      severity: 'error',
      from: { path: '^([^/]+)/', pathNot: '^(test|bench|scripts)/' },
      to: { path: `^${WORKSPACES}/`, pathNot: ['^$1/', '^[^/]+/index\\.ts$'] },
    },
    {
      name: 'generated-behind-the-codec',
      comment: 'The generated code lets through what the codec refuses.',
      severity: 'error',
      from: { pathNot: ['^proto/codec', '^proto/generated/', '^test/', '^bench/', '^scripts/'] },
      to: { path: '^proto/generated/' },
    },
    {
      name: 'product-without-tests',
      severity: 'error',
      from: { path: `^${WORKSPACES}/` },
      to: { path: '^(test|bench|scripts|algorithms)/' },
    },
    {
      name: 'declared-packages',
      comment: "What a workspace imports stands in its own package.json's dependencies.",
      severity: 'error',
      from: { path: `^${WORKSPACES}/` },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: TYPES_ONLY },
    },
    {
      name: 'no-cycles',
      comment: 'Types may know each other; code that runs may not.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: TYPES_ONLY } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-orphans',
      comment: 'A file that imports nothing and that nothing imports.',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: ['\\.test\\.ts$', '\\.d\\.ts$', '(^|/)[.]', '\\.config\\.js$', '/index\\.ts$'],
      },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: '(^|/)node_modules/' },
    // AssemblyScript: its imports are not the compiler's.
    // What a bench compares with has packages of its own, which are not installed here.
    exclude: { path: '(^|/)(dist|\\.git|\\.cache)/|^algorithms/[^/]+/assembly/|^bench/bullmq/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
