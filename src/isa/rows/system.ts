/**
 * CSR instructions, returns from traps, fences of translation, hints and cache-block operations
 * (unprivileged ISA 'Zicsr', 'Zihintpause', 'Zawrs', 'CMO'; privileged ISA 'Machine', 'Supervisor').
 */
import { type Action, nothing, system } from '../expression.ts';
import {
  CSR,
  IMM_PREFETCH,
  type Instruction,
  Opcode,
  RD,
  type Row,
  RS1,
  RS2,
  rows,
} from '../instruction.ts';

function csr(name: string, f3: number, immediate: boolean): Row {
  return {
    name,
    mask: 0x707f,
    match: (f3 << 12) | Opcode.System,
    operands: [RD, CSR, RS1],
    syntax: immediate ? 'rd, csr, zimm' : 'rd, csr, rs1',
    action: system(name),
  };
}

function whole(
  name: string,
  match: number,
  action: Action = system(name.replaceAll('.', '_')),
): Row {
  return { name, mask: 0xffffffff, match, operands: [], syntax: '', action };
}

/** Two registers and no result: fences of address translation. */
function fence(name: string, f7: number): Row {
  return {
    name,
    mask: (0x7f << 25) | 0x7fff,
    match: (f7 << 25) | Opcode.System,
    operands: [RS1, RS2],
    syntax: 'rs1, rs2',
    action: system(name.replaceAll('.', '_')),
  };
}

/** Cache-block operation on the block that rs1 points into. */
function block(name: string, imm: number, action = system(name.replaceAll('.', '_'))): Row {
  return {
    name,
    mask: (0xfff << 20) | 0x7fff,
    match: (imm << 20) | (2 << 12) | Opcode.MiscMem,
    operands: [RS1],
    syntax: '(rs1)',
    action,
  };
}

/** A hint within ori's encodings: nothing is done, no address is checked. */
function prefetch(name: string, kind: number): Row {
  return {
    name,
    mask: (31 << 20) | 0x7fff,
    match: (kind << 20) | (6 << 12) | Opcode.OpImm,
    operands: [RS1, IMM_PREFETCH],
    syntax: 'imm(rs1)',
    action: nothing,
  };
}

export const systems: Instruction[] = [
  ...rows('zicsr', 'unprivileged ISA, Zicsr', [
    csr('csrrw', 1, false),
    csr('csrrs', 2, false),
    csr('csrrc', 3, false),
    csr('csrrwi', 5, true),
    csr('csrrsi', 6, true),
    csr('csrrci', 7, true),
  ]),
  ...rows('s', 'privileged ISA, Machine-Level and Supervisor-Level', [
    whole('sret', 0x10200073),
    whole('mret', 0x30200073),
    whole('wfi', 0x10500073),
    fence('sfence.vma', 0x09),
  ]),
  ...rows('svinval', 'privileged ISA, Svinval', [
    fence('sinval.vma', 0x0b),
    whole('sfence.w.inval', 0x18000073),
    whole('sfence.inval.ir', 0x18100073),
  ]),
  ...rows('zihintpause', 'unprivileged ISA, Zihintpause', [whole('pause', 0x0100000f, nothing)]),
  ...rows('zawrs', 'unprivileged ISA, Zawrs', [
    whole('wrs.nto', 0x00d00073),
    whole('wrs.sto', 0x01d00073),
  ]),
  ...rows('zicbom', 'unprivileged ISA, Zicbom', [
    block('cbo.inval', 0),
    block('cbo.clean', 1),
    block('cbo.flush', 2),
  ]),
  ...rows('zicbop', 'unprivileged ISA, Zicbop', [
    prefetch('prefetch.i', 0),
    prefetch('prefetch.r', 1),
    prefetch('prefetch.w', 3),
  ]),
  ...rows('zicboz', 'unprivileged ISA, Zicboz', [block('cbo.zero', 4)]),
];
