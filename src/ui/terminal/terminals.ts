/**
 * The terminals of all VMs, outside React's tree: one for each VM as soon as it exists, so that
 * output is parsed and scrollback kept while no console is open. xterm.js is loaded when the first
 * one is wanted.
 */
import type { Fleet } from '../../hypervisor/fleet.ts';
import type { ConsoleTerminal } from './console-terminal.ts';

export class Terminals {
  private readonly terminals = new Map<string, Promise<ConsoleTerminal>>();
  private library: Promise<typeof import('./console-terminal.ts')> | undefined;
  private known = new Set<string>();

  constructor(private readonly fleet: Fleet) {
    fleet.store.subscribe(({ vms }) => {
      const ids = new Set(vms.map((vm) => vm.id));
      for (const id of ids) if (!this.known.has(id)) void this.get(id).catch(() => {});
      for (const id of this.known) if (!ids.has(id)) this.dispose(id);
      this.known = ids;
    });
  }

  get(id: string): Promise<ConsoleTerminal> {
    let terminal = this.terminals.get(id);
    if (terminal === undefined) {
      terminal = this.make(id);
      this.terminals.set(id, terminal);
      terminal.catch(() => this.terminals.delete(id));
    }
    return terminal;
  }

  private async make(id: string): Promise<ConsoleTerminal> {
    this.library ??= import('./console-terminal.ts');
    // A download that failed is tried again next time.
    this.library.catch(() => {
      this.library = undefined;
    });
    const { ConsoleTerminal } = await this.library;
    const vm = this.fleet.get(id);
    if (vm === undefined) throw new Error('The VM has been deleted.');
    return new ConsoleTerminal(vm);
  }

  private dispose(id: string): void {
    const terminal = this.terminals.get(id);
    this.terminals.delete(id);
    terminal?.then((made) => made.dispose()).catch(() => {});
  }
}
