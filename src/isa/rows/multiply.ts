/** M: multiplication and division (unprivileged ISA, chapter 'M'). */
import { call, extendS, mul, setX, wrap, x1, x2 } from '../expression.ts';
import { Opcode, r, rows } from '../instruction.ts';

const { Op, Op32 } = Opcode;
const lower1 = wrap(x1);
const lower2 = wrap(x2);
const helper = (name: string) => setX(call('i64', name, x1, x2));
const word = (name: string) => setX(extendS(call('i32', name, lower1, lower2)));

export const multiply = rows('m', 'unprivileged ISA, M', [
  r('mul', Op, 0, 1, setX(mul(x1, x2))),
  r('mulh', Op, 1, 1, helper('mulh')),
  r('mulhsu', Op, 2, 1, helper('mulhsu')),
  r('mulhu', Op, 3, 1, helper('mulhu')),
  r('div', Op, 4, 1, helper('div')),
  r('divu', Op, 5, 1, helper('divu')),
  r('rem', Op, 6, 1, helper('rem')),
  r('remu', Op, 7, 1, helper('remu')),
  r('mulw', Op32, 0, 1, setX(extendS(mul(lower1, lower2)))),
  r('divw', Op32, 4, 1, word('divw')),
  r('divuw', Op32, 5, 1, word('divuw')),
  r('remw', Op32, 6, 1, word('remw')),
  r('remuw', Op32, 7, 1, word('remuw')),
]);
