/**
 * How a lab comes up, and how its VMs are replaced while it runs. Pure order: what starting,
 * readiness and health mean is handed in. Guarantees that nothing starts before what it waits for is
 * ready, and that an update which fails leaves every VM as it was before.
 */

export interface OrderedMember {
  readonly name: string;
  readonly after: readonly string[];
}

/** Starts each as soon as all that it waits for is ready; rejects with the first failure. */
export async function bringUp<T extends OrderedMember>(
  members: readonly T[],
  start: (member: T) => Promise<void>,
): Promise<void> {
  const ready = new Map<string, Promise<void>>();
  let failed = false;
  const begin = (member: T): Promise<void> => {
    const known = ready.get(member.name);
    if (known) return known;
    const before = members.filter(({ name }) => member.after.includes(name));
    const promise = Promise.all(before.map(begin)).then(async () => {
      // What others wait for has failed: nothing new is begun.
      if (failed) return;
      try {
        await start(member);
      } catch (error) {
        failed = true;
        throw error;
      }
    });
    ready.set(member.name, promise);
    return promise;
  };
  await Promise.all(members.map(begin));
}

export interface Replacement<T> {
  /** Puts the new one in the place of the old one; resolves when it is healthy. */
  replace(member: T): Promise<void>;
  /** Puts the old one back. */
  restore(member: T): Promise<void>;
  /** The old ones of a batch are not needed any more. */
  settle?(member: T): Promise<void>;
  /** Is told before each batch. */
  progress?(done: number, total: number): void;
}

export type UpdateEnd =
  | { readonly kind: 'updated'; readonly count: number }
  | {
      readonly kind: 'rolled-back';
      readonly name: string;
      readonly reason: string;
      readonly lost: readonly string[];
    };

/** In batches; the first that fails ends it, and all that were replaced are put back. */
export async function rollingUpdate<T extends { readonly name: string }>(
  members: readonly T[],
  batch: number,
  { replace, restore, settle, progress }: Replacement<T>,
): Promise<UpdateEnd> {
  const touched: T[] = [];
  for (let at = 0; at < members.length; at += batch) {
    progress?.(at, members.length);
    const these = members.slice(at, at + batch);
    touched.push(...these);
    const ends = await Promise.allSettled(these.map((member) => replace(member)));
    const bad = ends.findIndex(({ status }) => status === 'rejected');
    const end = ends[bad];
    if (end?.status === 'rejected') {
      const back = await Promise.allSettled([...touched].reverse().map((one) => restore(one)));
      const lost = [...touched].reverse().filter((_, i) => back[i]?.status === 'rejected');
      return {
        kind: 'rolled-back',
        name: these[bad]?.name ?? '',
        reason: end.reason instanceof Error ? end.reason.message : String(end.reason),
        lost: lost.map(({ name }) => name),
      };
    }
    for (const member of these) await settle?.(member);
  }
  progress?.(members.length, members.length);
  return { kind: 'updated', count: members.length };
}
