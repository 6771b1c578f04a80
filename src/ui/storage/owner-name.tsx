/** The name of the VM that storage calls so, or that it is gone. */
import { useStore } from 'zustand';
import { fleet } from '../services.ts';

export function OwnerName({ kept }: { kept: string }) {
  const name = useStore(fleet.store, ({ vms }) => vms.find(({ keptId }) => keptId === kept)?.name);
  return name ?? <span className="muted">a VM that was deleted</span>;
}
