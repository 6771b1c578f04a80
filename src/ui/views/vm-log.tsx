/** A VM's view “Log”: what happened to it. A script of its own. */
import { EventsLog } from '../capacity/log.tsx';
import { useVm } from '../parts/hooks.ts';
import '../styles/capacity.css';

export default function VmLog({ id }: { id: string }) {
  const vm = useVm(id);
  if (vm === undefined) return null;
  return (
    <div className="view">
      <EventsLog vm={id} name={vm.name} />
    </div>
  );
}
