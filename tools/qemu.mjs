/**
 * QEMU 10 of Debian trixie for this machine, fetched and unpacked under .cache/qemu10 (see
 * tools/lib/unpacked.mjs): the oracle of the conformance tests and the yardstick of benchmarks. No
 * root needed, and whatever QEMU the machine itself has is left alone.
 * `node tools/qemu.mjs [ARGUMENT…]` starts qemu-system-riscv64 with the arguments;
 * `node tools/qemu.mjs --boot [MEGABYTES]` boots images/micro on this terminal.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Plain } from './lib/shell.mjs';
import { unpackedPrograms } from './lib/unpacked.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * How to start QEMU for RISC-V; fetches it at first. Put the machine's own arguments behind `args`.
 * @param {(line: string) => void} [log] where progress of a download goes
 * @returns {Promise<{ command: string, args: string[], version: string }>}
 */
export async function qemuSystemRiscv64(log = console.error) {
  const programs = await unpackedPrograms('qemu10', ['qemu-system-riscv'], log);
  const { command, args, root: folder } = programs('usr/bin/qemu-system-riscv64');
  const { versions } = JSON.parse(readFileSync(join(folder, '.packages.json'), 'utf8'));
  const libraries = join(folder, 'usr/lib');
  const modules = readdirSync(libraries)
    .map((name) => join(libraries, name, 'qemu'))
    .find((path) => existsSync(path));
  return {
    // Its own modules, not those of another QEMU that the machine may have.
    command: 'env',
    args: [`QEMU_MODULE_DIR=${modules}`, command, ...args, '-L', join(folder, 'usr/share/qemu')],
    version: versions['qemu-system-riscv'] ?? '',
  };
}

/**
 * QEMU's arguments for a template's image, with the devices that the guest expects.
 * @param {{ template?: string, megabytes?: number, append?: string }} [options]
 */
export function bootArguments({ template = 'micro', megabytes = 128, append = '' } = {}) {
  const folder = join(root, 'images', template);
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  return machineArguments(megabytes, {
    kernel: join(folder, manifest.kernel.file),
    initrd: join(folder, manifest.initrd.file),
    append: `${manifest.append} ${append}`.trim(),
  });
}

/**
 * The same for any kernel.
 * @param {number} megabytes
 * @param {{ kernel: string, initrd: string, append: string }} guest
 */
export function machineArguments(megabytes, { kernel, initrd, append }) {
  return [
    ...['-M', 'virt', '-m', String(megabytes), '-display', 'none', '-no-user-config'],
    ...['-global', 'virtio-mmio.force-legacy=false'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', append],
    ...['-device', 'virtio-serial-device', '-device', 'virtio-rng-device'],
  ];
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const { command, args } = await qemuSystemRiscv64();
    const given = process.argv.slice(2);
    const own =
      given[0] === '--boot'
        ? [
            ...bootArguments({ megabytes: Number(given[1] ?? 128) }),
            ...['-chardev', 'stdio,id=terminal,mux=on,signal=off', '-serial', 'chardev:terminal'],
            ...['-device', 'virtconsole,chardev=terminal'],
          ]
        : given;
    const child = spawn(command, [...args, ...own], { stdio: 'inherit' });
    child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
  } catch (error) {
    console.error(error instanceof Plain ? error.message : error);
    process.exit(1);
  }
}
