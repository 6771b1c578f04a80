/**
 * The layer rule of the architecture as a check: imports go downwards only,
 * ui → hypervisor → {worker, storage} → machine → translator → core → isa; cli → {machine, storage}.
 * Resources, arithmetic that all of them share, lie at the bottom.
 * Types count as imports. Tests and their
 * helpers (testing/) may import what they like.
 */
const layers = {
  isa: [],
  resources: [],
  core: ['isa'],
  translator: ['core', 'isa'],
  machine: ['resources', 'translator', 'core', 'isa'],
  storage: ['machine', 'resources', 'translator', 'core', 'isa'],
  worker: ['machine', 'resources', 'translator', 'core', 'isa'],
  hypervisor: ['worker', 'storage', 'machine', 'resources', 'translator', 'core', 'isa'],
  ui: ['hypervisor', 'worker', 'storage', 'machine', 'resources', 'translator', 'core', 'isa'],
  cli: ['machine', 'storage', 'resources', 'translator', 'core', 'isa'],
};
const outsideTests = { pathNot: '\\.test\\.tsx?$|/testing/' };

/** @type {import('dependency-cruiser').IConfiguration} */
const config = {
  forbidden: [
    ...Object.entries(layers).map(([layer, below]) => ({
      name: `layer-${layer}`,
      comment: `src/${layer} may import only ${['itself', ...below.map((l) => `src/${l}`)].join(', ')}.`,
      severity: /** @type {const} */ ('error'),
      from: { path: `^src/${layer}/`, ...outsideTests },
      to: {
        path: '^(src|tests|e2e|tools|guests|bin)/',
        pathNot: `^src/(${[layer, ...below].join('|')})/`,
      },
    })),
    {
      name: 'neutral-below',
      comment: 'What lies below knows neither Node nor packages, but for the schema checker.',
      severity: 'error',
      from: { path: '^src/(isa|resources|core|translator|machine)/', ...outsideTests },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'],
        pathNot: '(^|/)valibot/',
      },
    },
    {
      name: 'no-node-in-page',
      comment: 'The page and its workers run where Node modules do not exist.',
      severity: 'error',
      from: { path: '^src/(storage|worker|hypervisor|ui)/', ...outsideTests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-dev-package-in-product',
      comment: 'The product imports packages of `dependencies` only.',
      severity: 'error',
      from: { path: '^src/', ...outsideTests },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'] },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import must lead somewhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^virtual:' },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(build|dist|images)/|\\?(worker|raw|url|inline)' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};

export default config;
