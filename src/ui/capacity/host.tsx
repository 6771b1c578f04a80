/**
 * The host: who holds what share of it, what it gives, what each machine costs, and what nobody needs
 * any more.
 */
import { Checkbox } from 'react-aria-components/Checkbox';
import { useStore } from 'zustand';
import { budgetOf } from '../../hypervisor/host-assessment.ts';
import { familiesOf } from '../../hypervisor/metrics.ts';
import { isLive } from '../../hypervisor/vm.ts';
import { overProvisioned, size, totalsOf } from '../../resources/admission.ts';
import { toOpenMetrics } from '../../resources/openmetrics.ts';
import { Notice } from '../parts/controls.tsx';
import { Icon } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import { Assessment } from './assessment.tsx';
import { Costs } from './costs.tsx';
import { useAlerts, useAssessment, useSecond } from './hooks.ts';
import { Monitor } from './monitor.tsx';
import { ballooner, telemetry } from './service.ts';
import { type Holder, ShareBar } from './share-bar.tsx';
import { formatSize } from './units.ts';
import { Unneeded } from './unneeded.tsx';
import { Uses } from './uses.tsx';

export function HostOverview() {
  useSecond();
  return (
    <div className="host-view">
      <Standing />
      <Picture />
      <Unneeded />
      <Uses />
      <Assessment />
      <Costs />
      <section className="panel" aria-labelledby="host-figures">
        <h2 id="host-figures">All machines together</h2>
        <Monitor
          name="host"
          series={telemetry.host}
          cores={budgetOf(useAssessment().assessment).cores}
          openMetrics={openMetrics}
        />
      </section>
    </div>
  );
}

/** Alerts, and the sentence of too much. */
function Standing() {
  const alerts = useAlerts();
  const { assessment } = useAssessment();
  const tooMuch = overProvisioned(budgetOf(assessment), telemetry.loads());
  if (alerts.length === 0 && tooMuch === undefined) return null;
  return (
    <section className="standing" aria-label="Alerts">
      {tooMuch !== undefined && <Notice tone="warning">{tooMuch}</Notice>}
      {alerts.map(({ vm, name, rule, text }) => (
        <Notice key={`${vm} ${rule.kind}`} tone={rule.level}>
          <strong>
            {name}: {rule.title}.
          </strong>{' '}
          {text}
        </Notice>
      ))}
    </section>
  );
}

/** Who holds what: committed and used of each resource. */
function Picture() {
  const vms = useStore(fleet.store, (state) => state.vms).filter(({ status }) => isLive(status));
  const { assessment } = useAssessment();
  const budget = budgetOf(assessment);
  const totals = totalsOf(telemetry.loads());
  const used = (what: (id: string) => number): Holder[] =>
    vms.map(({ id, name }) => ({ id, name, value: what(id) }));
  const cpu = used((id) => telemetry.latest(id).cpu_used ?? 0);
  const held = used((id) => fleet.get(id)?.view.figures?.memoryInUse ?? 0);
  const promised = used((id) => fleet.get(id)?.view.memory ?? 0);
  return (
    <section className="panel" aria-labelledby="host-picture">
      <h2 id="host-picture">Who holds what</h2>
      {vms.length === 0 ? (
        <p className="muted">No machine is running: everything is free.</p>
      ) : (
        <>
          <ShareBar
            title="Processors"
            holders={cpu}
            total={budget.cores}
            format={(value) => `${Math.round(value * 100)}%`}
            summary={`${totals.busy.toFixed(1)} of ${budget.cores} in use or waited for`}
          />
          <ShareBar
            title="Memory used"
            holders={held}
            total={budget.memory}
            format={formatSize}
            summary={
              budget.memory === undefined
                ? `${size(totals.used)} in use; what there is has not been measured`
                : `${size(totals.used)} of ${size(budget.memory)} in use`
            }
          />
          <ShareBar
            title="Memory committed"
            holders={promised}
            total={budget.memory}
            format={formatSize}
            summary={`${size(totals.committed)} may come to be used`}
          />
        </>
      )}
      <Ballooning />
    </section>
  );
}

/** The switch of automatic ballooning. */
function Ballooning() {
  const { on } = useStore(ballooner.automatic);
  return (
    <Checkbox className="tick" isSelected={on} onChange={(wanted) => ballooner.switch(wanted)}>
      <span className="tick-box" aria-hidden="true">
        <Icon name="check" size={12} />
      </span>
      When memory gets short, take some back from machines that can spare it
    </Checkbox>
  );
}

/** All machines, each with its label. */
function openMetrics(): string {
  return toOpenMetrics(
    familiesOf(
      fleet.store.getState().vms.map(({ id, name }) => ({ name, values: telemetry.latest(id) })),
    ),
  );
}
