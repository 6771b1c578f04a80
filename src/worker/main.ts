/**
 * The worker's entry: one real machine, served over the ports that the page hands in. This file and
 * all it imports become one script, for a worker in a frame of opaque origin can import nothing.
 */

import { AGENT_PORT } from '../machine/agent.ts';
import { MemoryBackend } from '../machine/devices/virtio/memory-backend.ts';
import { GUEST_PORTS, portsNamed } from '../machine/guest-ports.ts';
import { GuestWatch } from '../machine/guest-watch.ts';
import { Machine } from '../machine/machine.ts';
import { setupOf } from '../machine/snapshot/setup.ts';
import { PortDisk } from './port-disk.ts';
import { PortShare } from './port-share.ts';
import { PortSink } from './port-sink.ts';
import { PortSource } from './port-source.ts';
import { openTemplate } from './template.ts';
import { linuxBoot, TemplatePort } from './template-port.ts';
import { type MachineFactory, serveVm } from './vm-server.ts';

const createMachine: MachineFactory = async (config, core, host, translations) => {
  const { kernel, initrd, append, from } = config;
  const template = config.template && (await openTemplate(config.template));
  const origin = from && (await PortSource.open(from.source));
  const reset = template?.port ?? (from && new TemplatePort(from.images));
  const boot = kernel
    ? await linuxBoot(kernel, initrd, append)
    : () => (reset ? reset.images(append) : Promise.reject(new Error('No kernel came.')));
  // A machine that goes on from a snapshot has what that one had, wherever it was made.
  const setup = origin && setupOf(origin.image.state);
  const ports = setup?.ports ?? GUEST_PORTS;
  const disks = (config.disks ?? []).map((disk) => new PortDisk(disk));
  const shares = (config.shares ?? [])
    .filter(({ tag }) => setup?.shares.includes(tag) ?? true)
    .map(({ tag, port }) => new PortShare(tag, port));
  const machine = Machine.create(
    {
      memory: config.memory,
      memoryTarget: config.memoryTarget,
      boot,
      disks: [...disks, ...(config.disk === undefined ? [] : [new MemoryBackend(config.disk)])],
      shares,
      ports: portsNamed(ports),
      agent: ports.includes(AGENT_PORT),
      console: { columns: config.columns, rows: config.rows },
      core,
      shared: config.shared,
      translations,
    },
    host,
  );
  const watch = new GuestWatch(machine);
  return {
    async start() {
      if (template) return template.start(machine);
      if (!from || !origin) return machine.start();
      await machine.restore(origin, from);
      machine.resume();
    },
    pause: () => machine.pause(),
    resume: () => machine.resume(),
    reset: () => machine.reset(),
    powerOff: () => machine.powerOff(),
    capture: (port) => machine.capture(new PortSink(port)),
    async restore(config) {
      const source = await PortSource.open(config.source);
      // Nothing of the machine runs from here on, nor does what stands behind it answer.
      if (machine.state.kind === 'running') machine.pause();
      for (const [i, disk] of config.disks.entries()) disks[i]?.replace(disk);
      for (const { tag, port } of config.shares) {
        shares.find((share) => share.tag === tag)?.replace(port);
      }
      await machine.restore(source, config);
      machine.resume();
    },
    get state() {
      return machine.state;
    },
    onState: (listener) =>
      machine.onState((state) => {
        if (template?.starting !== true) listener(state);
      }),
    onConsole: (listener) => machine.onConsole(listener),
    consoleInput: (data) => machine.consoleInput(data),
    resize: (columns, rows) => machine.resize(columns, rows),
    onEvent: (listener) => machine.onEvent(listener),
    setMemoryTarget: (bytes) => machine.setMemoryTarget(bytes),
    setCpuQuota: (quota) => machine.setCpuQuota(quota),
    onCpuDemand: (listener) => machine.onCpuDemand(listener),
    setDiskLimits: (all, each) => machine.setDiskLimits(all, each),
    totals() {
      const stats = machine.stats('estimate');
      watch.look(stats);
      return stats;
    },
  };
};

serveVm(createMachine);
