/**
 * Turns a control-flow graph into nested blocks and loops: the dominator-tree method (N. Ramsey,
 * 'Beyond Relooper', ICFP 2022). Where a cycle can be entered at several nodes, a dispatcher node
 * is put before them first, so that the graph is reducible. Knows nothing of instructions.
 */

/** A graph on nodes 0…n-1; node 0 is the only entry. */
export interface Graph {
  readonly successors: number[][];
  /** Nodes that were added: each goes to its successors by the number in the dispatch variable. */
  readonly dispatchers: Set<number>;
  /** For an edge that goes through dispatchers: `${from}>${to}` is now from → via, to is its case. */
  readonly via: Map<string, number>;
}

export function graphOf(successors: readonly (readonly number[])[]): Graph {
  return {
    successors: successors.map((list) => [...list]),
    dispatchers: new Set(),
    via: new Map(),
  };
}

/** Strongly connected components of the nodes in `within`. */
export function components(graph: Graph, within: ReadonlySet<number>): number[][] {
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const onStack = new Set<number>();
  const stack: number[] = [];
  const found: number[][] = [];
  let counter = 0;
  const visit = (v: number): void => {
    index.set(v, counter);
    low.set(v, counter++);
    stack.push(v);
    onStack.add(v);
    for (const w of graph.successors[v] ?? []) {
      if (!within.has(w)) continue;
      if (!index.has(w)) {
        visit(w);
        low.set(v, Math.min(low.get(v) ?? 0, low.get(w) ?? 0));
      } else if (onStack.has(w)) {
        low.set(v, Math.min(low.get(v) ?? 0, index.get(w) ?? 0));
      }
    }
    if (low.get(v) === index.get(v)) {
      const component: number[] = [];
      for (;;) {
        const w = stack.pop();
        if (w === undefined) break;
        onStack.delete(w);
        component.push(w);
        if (w === v) break;
      }
      found.push(component);
    }
  };
  for (const v of within) if (!index.has(v)) visit(v);
  return found;
}

/** Makes every cycle of the graph have one entry. */
export function makeReducible(graph: Graph): void {
  const work: Set<number>[] = [new Set(graph.successors.keys())];
  while (work.length > 0) {
    const within = work.pop();
    if (!within) break;
    for (const component of components(graph, within)) {
      const inside = new Set(component);
      if (!isCycle(graph, component)) continue;
      const [only] = component;
      const entries = component.filter((node) =>
        graph.successors.some((list, from) => !inside.has(from) && list.includes(node)),
      );
      let header = entries[0] ?? only ?? 0;
      if (entries.length > 1) {
        header = graph.successors.length;
        graph.dispatchers.add(header);
        const targets = new Set(entries);
        graph.successors.forEach((list, from) => {
          const direct = list.filter((to) => targets.has(to));
          if (direct.length === 0) return;
          for (const to of direct) graph.via.set(`${from}>${to}`, header);
          graph.successors[from] = [...new Set(list.map((to) => (targets.has(to) ? header : to)))];
        });
        graph.successors.push([...entries]);
      }
      inside.delete(header);
      // Cycles inside, once the way back to the header is left out.
      if (inside.size > 0) work.push(inside);
    }
  }
}

/** What the emitter must write, in this order. Labels are nodes. */
export interface Sink {
  /** Opens `loop` for a node. */
  loop(node: number): void;
  /** Opens `block` whose end is where `node` begins. */
  block(node: number): void;
  end(): void;
  /** Writes the node's code; for each way out it calls `go`. */
  node(node: number, go: (to: number) => void): void;
  /** Branches to a label that is open. */
  branch(node: number): void;
}

/** The nodes that node 0 reaches, in reverse postorder. */
export function reversePostorder(graph: Graph): number[] {
  const seen = new Set<number>();
  const postorder: number[] = [];
  const visit = (v: number): void => {
    seen.add(v);
    for (const w of graph.successors[v] ?? []) if (!seen.has(w)) visit(w);
    postorder.push(v);
  };
  visit(0);
  return postorder.reverse();
}

/** Reverse postorder numbers and immediate dominators (Cooper, Harvey, Kennedy). */
function dominators(graph: Graph): {
  order: number[];
  number: Map<number, number>;
  idom: Map<number, number>;
} {
  const order = reversePostorder(graph);
  const number = new Map(order.map((node, i) => [node, i]));
  const predecessors = new Map<number, number[]>(order.map((node) => [node, []]));
  for (const v of order) for (const w of graph.successors[v] ?? []) predecessors.get(w)?.push(v);
  const idom = new Map<number, number>([[0, 0]]);
  const at = (node: number): number => number.get(node) ?? 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (const v of order) {
      if (v === 0) continue;
      let next: number | undefined;
      for (const p of predecessors.get(v) ?? []) {
        if (!idom.has(p)) continue;
        if (next === undefined) {
          next = p;
          continue;
        }
        let a = p;
        let b: number = next;
        while (a !== b) {
          while (at(a) > at(b)) a = idom.get(a) ?? 0;
          while (at(b) > at(a)) b = idom.get(b) ?? 0;
        }
        next = a;
      }
      if (next !== undefined && idom.get(v) !== next) {
        idom.set(v, next);
        changed = true;
      }
    }
  }
  return { order, number, idom };
}

/** Whether a component is a cycle. */
export function isCycle(graph: Graph, component: readonly number[]): boolean {
  const [only] = component;
  return component.length > 1 || (graph.successors[only ?? 0] ?? []).includes(only ?? 0);
}

/** Writes a reducible graph to the sink, from node 0 on. */
export function structure(graph: Graph, sink: Sink): void {
  const { order, number, idom } = dominators(graph);
  const at = (node: number): number => number.get(node) ?? 0;
  const children = new Map<number, number[]>(order.map((node) => [node, []]));
  for (const v of order) if (v !== 0) children.get(idom.get(v) ?? 0)?.push(v);
  const forward = new Map<number, number>();
  // A node may go to one dispatcher for several of its targets: each is a way there.
  const through = new Map<string, number>();
  for (const [edge, via] of graph.via) {
    const way = `${edge.slice(0, edge.indexOf('>'))}>${via}`;
    through.set(way, (through.get(way) ?? 0) + 1);
  }
  const headers = new Set<number>();
  const merges = new Set<number>();
  for (const v of order) {
    for (const w of graph.successors[v] ?? []) {
      if (at(w) <= at(v)) headers.add(w);
      else {
        forward.set(w, (forward.get(w) ?? 0) + Math.max(1, through.get(`${v}>${w}`) ?? 0));
        // br_table needs a label for each of its targets.
        if (graph.dispatchers.has(v)) merges.add(w);
      }
    }
  }
  for (const [node, count] of forward) if (count > 1) merges.add(node);

  const go = (from: number, to: number): void => {
    if (at(to) <= at(from) || merges.has(to)) sink.branch(to);
    else tree(to);
  };
  const within = (node: number, followers: readonly number[]): void => {
    const [first, ...rest] = followers;
    if (first === undefined) {
      sink.node(node, (to) => go(node, to));
      return;
    }
    sink.block(first);
    within(node, rest);
    sink.end();
    tree(first);
  };
  const tree = (node: number): void => {
    const followers = (children.get(node) ?? [])
      .filter((child) => merges.has(child))
      .sort((a, b) => at(b) - at(a));
    if (headers.has(node)) {
      sink.loop(node);
      within(node, followers);
      sink.end();
    } else {
      within(node, followers);
    }
  };
  tree(0);
}
