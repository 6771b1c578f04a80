/** The static checks, one list for `npm run check` and `npm test`: each counts as one test. */
export const checks = [
  { name: 'types', command: ['tools/check-types.mjs'] },
  {
    name: 'lint and format',
    command: ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'],
  },
  { name: 'format of the core', command: ['tools/format-wasm.mjs', '--check'] },
  { name: 'layers', command: ['tools/check-layers.mjs'] },
  { name: 'unused files, exports and packages', command: ['node_modules/knip/bin/knip.js'] },
];
