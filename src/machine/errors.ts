/**
 * Errors that a person can mend. Relies on nothing; whoever shows errors (command line, page) may
 * print `message` of a UserError as it is: it is a sentence that says what happened, to what, and
 * what to do. Any other error is a defect of Tabvisor.
 */
export class UserError extends Error {
  override readonly name: string = 'UserError';
}

/** A machine was asked for something that its state does not allow. */
export class LifecycleError extends UserError {
  override readonly name = 'LifecycleError';
}

/** The sentence of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Characters of what comes from outside that an error quotes. */
const MAX_EXCERPT = 200;

/** Messages quote what is in the file: on one line, and not all of it. */
export function excerpt(text: string): string {
  const line = text.slice(0, MAX_EXCERPT).replace(/[\p{C}\p{Z}]+/gu, ' ');
  return text.length > MAX_EXCERPT ? `${line}…` : line;
}
