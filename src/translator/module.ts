/**
 * Puts regions into one WebAssembly module: types, imports from the core, functions. Modules cost tens of microseconds each, so a batch of regions shares one.
 */

import { memoryPages } from '../core/layout.ts';
import type { ValueType } from '../isa/expression.ts';
import { type EmittedRegion, emitRegion } from './emit-region.ts';
import type { EngineFeatures } from './features.ts';
import type { ModuleScope } from './frame.ts';
import type { Region } from './region.ts';
import { Bytes, Op, Type } from './wasm-writer.ts';

const Section = { type: 1, import: 2, function: 3, export: 7, element: 9, code: 10 } as const;
const Kind = { function: 0, table: 1, memory: 2, global: 3 } as const;

export interface RegionModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly regions: readonly EmittedRegion[];
}

const WASM_TYPES: Readonly<Record<ValueType, number>> = { i32: Type.i32, i64: Type.i64 };

/** Pages of the largest memory that a VM has: an import's maximum may be larger, not smaller. */
const MOST_PAGES = 65536;

export interface ModuleOptions {
  /** What kind of memory the core has. */
  readonly shared: boolean;
  readonly features: EngineFeatures;
  /**
   * `exports`: functions are exported as `r0`, `r1`, …. `table`: the module puts them into the table
   * by itself, from the imported `base` on.
   */
  readonly linkage: 'exports' | 'table';
}

/** Builds a module of the regions. */
export function buildModule(
  regions: readonly Region[],
  { shared, features, linkage }: ModuleOptions,
): RegionModule {
  const types: string[] = [];
  const typeOf = (parameters: readonly ValueType[], result: ValueType | undefined): number => {
    const key = `${parameters.join()}>${result ?? ''}`;
    const found = types.indexOf(key);
    return found >= 0 ? found : types.push(key) - 1;
  };
  const regionType = typeOf(['i32', 'i64'], undefined);
  const helpers = new Map<string, { index: number; type: number }>();
  const scope: ModuleScope = {
    regionType,
    fflags: 0,
    features,
    helper: (name, parameters, result) => {
      const found = helpers.get(name);
      if (found) return found.index;
      const index = helpers.size;
      helpers.set(name, { index, type: typeOf(parameters, result) });
      return index;
    },
  };
  const emitted = regions.map((region) => emitRegion(region, scope));

  const typeSection = new Bytes().u32(types.length);
  for (const type of types) {
    const [parameters = '', result = ''] = type.split('>');
    const list = parameters === '' ? [] : (parameters.split(',') as ValueType[]);
    typeSection.byte(0x60).u32(list.length);
    for (const parameter of list) typeSection.byte(WASM_TYPES[parameter]);
    if (result === '') typeSection.u32(0);
    else typeSection.u32(1).byte(WASM_TYPES[result as ValueType]);
  }

  const inTable = linkage === 'table';
  const imports = new Bytes().u32(helpers.size + (inTable ? 4 : 3));
  for (const [name, { type }] of helpers) {
    imports.text('core').text(name).byte(Kind.function).u32(type);
  }
  imports.text('core').text('fflags').byte(Kind.global).byte(Type.i32, 1);
  if (inTable) imports.text('env').text('base').byte(Kind.global).byte(Type.i32, 0);
  imports.text('env').text('table').byte(Kind.table, 0x70, 0).u32(0);
  imports.text('env').text('memory').byte(Kind.memory);
  if (shared) imports.byte(3).u32(memoryPages(0)).u32(MOST_PAGES);
  else imports.byte(0).u32(memoryPages(0));

  const functions = new Bytes().u32(emitted.length);
  const exports = new Bytes().u32(emitted.length);
  // One active segment of table 0, at the second imported global.
  const elements = new Bytes().u32(1).u32(0).byte(Op.global_get).u32(1).byte(Op.end);
  elements.u32(emitted.length);
  const code = new Bytes().u32(emitted.length);
  emitted.forEach(({ body }, i) => {
    functions.u32(regionType);
    exports
      .text(`r${i}`)
      .byte(Kind.function)
      .u32(helpers.size + i);
    elements.u32(helpers.size + i);
    code.u32(body.length).append(body);
  });

  const bytes = new Bytes()
    .byte(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0)
    .section(Section.type, typeSection)
    .section(Section.import, imports)
    .section(Section.function, functions)
    .section(inTable ? Section.element : Section.export, inTable ? elements : exports)
    .section(Section.code, code);
  return { bytes: new Uint8Array(bytes.view), regions: emitted };
}
