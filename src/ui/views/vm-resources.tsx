/** A VM's view “Resources”: what it may take of the host, changed while it runs. A script of its own. */
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { useStore } from 'zustand';
import { budgetOf } from '../../hypervisor/host-assessment.ts';
import { isLive, type VmView } from '../../hypervisor/vm.ts';
import { size, totalsOf } from '../../resources/admission.ts';
import {
  CPU_CAP,
  CPU_WEIGHT,
  type Limits,
  MEMORY,
  PRESET_NAMES,
  PRESETS,
  type PresetName,
} from '../../resources/limits.ts';
import { DiskSettings } from '../capacity/disk-settings.tsx';
import { useAssessment } from '../capacity/hooks.ts';
import { telemetry } from '../capacity/service.ts';
import { Setting } from '../capacity/setting.tsx';
import { formatValue } from '../capacity/units.ts';
import { Notice } from '../parts/controls.tsx';
import { useVm } from '../parts/hooks.ts';
import { fleet } from '../services.ts';
import '../styles/capacity.css';

const MIB = 1024 * 1024;
/** What a guest needs in any case, in bytes. */
const LEAST_MEMORY = 48 * MIB;

export default function VmResources({ id }: { id: string }) {
  const vm = useVm(id);
  const [trouble, setTrouble] = useState<string>();
  if (vm === undefined) return null;
  const set = (changes: Limits) => {
    try {
      fleet.get(id)?.setLimits(changes);
      setTrouble(undefined);
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className="view resources">
      {trouble !== undefined && <Notice tone="error">{trouble}</Notice>}
      <Presets vm={vm} set={set} />
      <Processor vm={vm} set={set} />
      <Memory vm={vm} set={set} />
      <Disks vm={vm} set={set} />
    </div>
  );
}

interface Part {
  vm: VmView;
  set: (changes: Limits) => void;
}

function Presets({ vm, set }: Part) {
  const chosen = PRESET_NAMES.find((name) => {
    const { cpu } = PRESETS[name];
    return vm.limits.cpu?.cap === cpu.cap && vm.limits.cpu.weight === cpu.weight;
  });
  return (
    <div className="view-bar">
      <span className="muted">Presets</span>
      {PRESET_NAMES.map((name) => (
        <Button
          key={name}
          className="button"
          aria-pressed={name === chosen}
          onPress={() => set(presetFor(name, vm.memory))}
        >
          {name}
        </Button>
      ))}
      <span className="hint">Memory within what the machine was made with.</span>
    </div>
  );
}

/** A preset for a machine that runs: its memory cannot grow beyond what it has. */
function presetFor(name: PresetName, memory: number | undefined): Limits {
  const preset: Limits = PRESETS[name];
  const most = memory ?? Number.POSITIVE_INFINITY;
  const target = Math.min(most, preset.memory?.maximum ?? most);
  const minimum = Math.min(target, preset.memory?.minimum ?? target);
  return {
    cpu: { ...preset.cpu },
    ...(Number.isFinite(target) ? { memory: { minimum, target } } : {}),
    disk: { ...preset.disk },
  };
}

function Processor({ vm, set }: Part) {
  const { assessment } = useAssessment();
  const vms = useStore(fleet.store, (state) => state.vms);
  const { cpu } = vm.limits;
  const weight = cpu?.weight ?? CPU_WEIGHT.default;
  const { cores } = budgetOf(assessment);
  const all = vms
    .filter(({ status }) => isLive(status))
    .reduce((sum, other) => sum + (other.limits.cpu?.weight ?? CPU_WEIGHT.default), 0);
  const { busy } = totalsOf(telemetry.loads());
  const { figures } = vm;
  return (
    <section className="panel" aria-labelledby="resource-cpu">
      <h2 id="resource-cpu">Processor</h2>
      <Setting
        title="Cap"
        unit="%"
        value={cpu?.cap ?? CPU_CAP.default}
        minimum={CPU_CAP.minimum}
        maximum={CPU_CAP.maximum}
        live
        budget={`Of one processor, for its one hart. The host has ${cores}; ${busy.toFixed(1)} are in use or waited for.`}
        confirmed={
          figures === undefined
            ? undefined
            : `uses ${formatValue(figures.busy, 'share')}, waits ${formatValue(figures.steal, 'share')} (steal)`
        }
        onChange={(cap) => set({ cpu: { cap } })}
      />
      <Setting
        title="Weight"
        unit=""
        value={weight}
        minimum={CPU_WEIGHT.minimum}
        maximum={CPU_WEIGHT.maximum}
        logarithmic
        live
        budget="Against the weights of the others, when there are not processors enough for all."
        confirmed={
          isLive(vm.status)
            ? `${formatValue(weight / Math.max(weight, all), 'share')} when all machines work`
            : undefined
        }
        onChange={(value) => set({ cpu: { weight: value } })}
      />
    </section>
  );
}

function Memory({ vm, set }: Part) {
  const { assessment } = useAssessment();
  const { memory } = vm;
  if (memory === undefined) {
    return (
      <section className="panel" aria-labelledby="resource-memory">
        <h2 id="resource-memory">Memory</h2>
        <p className="muted">Known when the machine has been started once.</p>
      </section>
    );
  }
  const budget = budgetOf(assessment);
  const totals = totalsOf(telemetry.loads());
  const figures = vm.figures?.memory;
  const least = Math.min(memory, vm.limits.memory?.minimum ?? LEAST_MEMORY);
  const balloon = figures === undefined || figures.balloon;
  return (
    <section className="panel" aria-labelledby="resource-memory">
      <h2 id="resource-memory">Memory</h2>
      <Setting
        title="What it gets by with"
        unit="MB"
        value={Math.round((vm.limits.memory?.target ?? figures?.target ?? memory) / MIB)}
        minimum={Math.ceil(least / MIB)}
        maximum={Math.floor(memory / MIB)}
        live={balloon}
        budget={
          `Made with ${size(memory)}. ` +
          (budget.memory === undefined
            ? `All machines use ${size(totals.used)}.`
            : `The host gives ${size(budget.memory)}; all machines use ${size(totals.used)}.`)
        }
        confirmed={
          figures === undefined
            ? undefined
            : balloon
              ? `asked ${size(figures.target)}, the guest confirms ${size(figures.actual)}`
              : 'the guest has no driver of the balloon'
        }
        onChange={(megabytes) => set({ memory: { target: megabytes * MIB } })}
      />
      <Setting
        title="All that it has"
        unit="MB"
        value={Math.round((vm.limits.memory?.maximum ?? memory) / MIB)}
        minimum={LEAST_MEMORY / MIB}
        maximum={MEMORY.maximum / MIB}
        logarithmic
        live={false}
        budget="Holds from its next start on, which boots the kernel where its template’s snapshot has another size."
        confirmed={isLive(vm.status) ? `has ${size(memory)} now` : undefined}
        onChange={(megabytes) => set({ memory: memoryOf(vm.limits, megabytes * MIB) })}
      />
    </section>
  );
}

/** Another maximum, with what goes by it. */
function memoryOf({ memory }: Limits, maximum: number): NonNullable<Limits['memory']> {
  const within = (bytes: number | undefined) =>
    bytes === undefined ? undefined : Math.min(bytes, maximum);
  return { maximum, minimum: within(memory?.minimum), target: within(memory?.target) };
}

function Disks({ vm, set }: Part) {
  const { disk = {}, disks: each = [] } = vm.limits;
  const figures = vm.figures?.disks ?? [];
  const { specification } = fleet.get(vm.id) ?? {};
  const made = (specification?.disks?.length ?? 0) + (specification?.disk === undefined ? 0 : 1);
  const count = Math.max(figures.length, made);
  if (count === 0) {
    return (
      <section className="panel" aria-labelledby="resource-disk">
        <h2 id="resource-disk">Disks</h2>
        <p className="muted">This machine has no disk.</p>
      </section>
    );
  }
  const all = (
    <DiskSettings
      id="resource-disk"
      title={count === 1 ? 'Disk' : 'Disks, all together'}
      limit={disk}
      figures={figures}
      onChange={(limit) => set({ disk: limit })}
    />
  );
  if (count === 1) return all;
  const limits = Array.from({ length: count }, (_, index) => each[index] ?? {});
  return (
    <>
      {all}
      {limits.map((limit, index) => (
        <DiskSettings
          // biome-ignore lint/suspicious/noArrayIndexKey: disks are known by their order
          key={index}
          id={`resource-disk-${index}`}
          title={`Disk ${diskName(index)} alone`}
          limit={limit}
          figures={figures.slice(index, index + 1)}
          onChange={(limit) => set({ disks: limits.with(index, limit) })}
        />
      ))}
    </>
  );
}

/** As Linux calls virtio disks. */
function diskName(index: number): string {
  return `/dev/vd${String.fromCharCode(97 + index)}`;
}
