/** A VM's view “Monitor”: its figures over time. A script of its own. */
import { familiesOf } from '../../hypervisor/metrics.ts';
import { toOpenMetrics } from '../../resources/openmetrics.ts';
import { Monitor } from '../capacity/monitor.tsx';
import { telemetry } from '../capacity/service.ts';
import { useVm } from '../parts/hooks.ts';
import '../styles/capacity.css';

export default function VmMonitor({ id }: { id: string }) {
  const vm = useVm(id);
  if (vm === undefined) return null;
  return (
    <div className="view">
      <Monitor
        name={vm.name}
        series={telemetry.series(id)}
        cores={1}
        openMetrics={() =>
          toOpenMetrics(familiesOf([{ name: vm.name, values: telemetry.latest(id) }]))
        }
      />
    </div>
  );
}
