/** Prints the memory layout (src/core/layout.ts) as AssemblyScript constants. */
import * as layout from '../../src/core/layout.ts';
import { MISA } from '../../src/isa/extensions.ts';
import { OperationCode } from '../../src/isa/table.ts';

const upper = (name: string) => name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase();

function constant(name: string, type: string, value: number | bigint): string {
  return `// @ts-ignore: decorator\n@inline export const ${name}: ${type} = ${value};`;
}

export function layoutSource(): string {
  const lines: string[] = [];
  for (const field of layout.HART_FIELDS) {
    lines.push(constant(upper(field.name), 'usize', field.offset));
  }
  for (const [name, value] of Object.entries(layout)) {
    if (typeof value === 'number') lines.push(constant(upper(name), 'usize', value));
  }
  const groups = {
    FLAG: layout.PageFlag,
    SET: layout.TlbSet,
    EXIT: layout.ExitReason,
    OP: OperationCode,
  };
  for (const [prefix, group] of Object.entries(groups)) {
    for (const [name, value] of Object.entries(group)) {
      lines.push(constant(`${prefix}_${upper(name)}`, 'u32', value));
    }
  }
  lines.push(constant('MISA', 'u64', BigInt.asIntN(64, MISA)));
  return `${lines.join('\n')}\n`;
}
