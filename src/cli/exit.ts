/** Exit codes of the command line, in one place. */
export const ExitCode = {
  Done: 0,
  /** The guest crashed, or Tabvisor itself failed. */
  Failed: 1,
  /** Wrong arguments, or a file that cannot be used. */
  Usage: 2,
  /** As timeout(1) has it. */
  TimedOut: 124,
} as const;
