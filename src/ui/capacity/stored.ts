/** Small things that outlive the page, in the browser's local storage; where that is blocked, nothing does. */

export function readStored(name: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(`tabvisor.${name}`) ?? 'null');
  } catch {
    return null;
  }
}

export function writeStored(name: string, value: unknown): void {
  try {
    localStorage.setItem(`tabvisor.${name}`, JSON.stringify(value));
  } catch {
    // Blocked or full: it ends with the page.
  }
}
