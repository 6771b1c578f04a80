/** The way the programs in tools/ end: a failure that was foreseen is one sentence, others a stack. */
import { Plain } from './shell.mjs';

/** @param {() => Promise<void>} program */
export async function main(program) {
  try {
    await program();
  } catch (error) {
    console.error(error instanceof Plain ? error.message : error);
    process.exit(1);
  }
}
