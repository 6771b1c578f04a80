/** What an expression of an instruction finds around it, for those who emit one. */
import type { Expression } from '../isa/expression.ts';
import type { OperandName } from '../isa/instruction.ts';
import type { Frame } from './frame.ts';

export interface Scope {
  readonly frame: Frame;
  readonly operands: Readonly<Partial<Record<OperandName, number>>>;
  /** Page offsets of this instruction and the next one. */
  readonly offset: number;
  readonly next: number;
  /** What `Local.site` says when the interpreter is to run this instruction. */
  readonly site: number;
  /** Emits an expression within this one. */
  readonly emit: (e: Expression, scope: Scope) => void;
}

export type Call = Extract<Expression, { kind: 'call' }>;

/** Calls the core's helper. */
export function emitHelper(e: Call, scope: Scope): void {
  for (const arg of e.args) scope.emit(arg, scope);
  scope.frame.code.call(
    scope.frame.module.helper(
      e.helper,
      e.args.map((arg) => arg.type),
      e.type,
    ),
  );
}
