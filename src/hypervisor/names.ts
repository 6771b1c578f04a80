/**
 * Names of VMs. They are unique in a fleet, and making them depends on nothing but the names that
 * are taken, so that an address which describes a fleet gives every VM its name again.
 */

/** The wanted name, or the next free number behind it; behind the template's when none is wanted. */
export function freeName(
  wanted: string,
  template: string,
  several: boolean,
  taken: ReadonlySet<string>,
): string {
  if (wanted !== '' && !several && !taken.has(wanted)) return wanted;
  const base = wanted === '' ? template : wanted;
  for (let n = 1; ; n++) {
    const name = `${base}-${n}`;
    if (!taken.has(name)) return name;
  }
}

/** Names of `count` VMs that are made together. */
export function freeNames(
  wanted: string,
  template: string,
  count: number,
  taken: ReadonlySet<string>,
): string[] {
  const all = new Set(taken);
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const name = freeName(wanted, template, count > 1, all);
    all.add(name);
    names.push(name);
  }
  return names;
}
