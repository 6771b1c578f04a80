/**
 * Native QEMU with its ordinary translator and one CPU: version 10 of Debian trixie, unpacked under
 * .cache (tools/qemu.mjs), and bookworm's 7.2, installed where that is possible. The devices are
 * those that Tabvisor gives its guest; the kernel's log goes nowhere.
 */
import { spawn } from 'node:child_process';
import { capture, installMissing } from '../../tools/lib/shell.mjs';
import { machineArguments, qemuSystemRiscv64 } from '../../tools/qemu.mjs';
import type { BenchImage } from '../image.ts';
import { ProcessSession, type Side } from '../session.ts';
import { makeRawRoots, rawDisk } from './disk.ts';

interface Qemu {
  readonly command: string;
  readonly args: readonly string[];
  readonly version: string;
}

export async function qemu10(image: BenchImage, megabytes: number): Promise<Side> {
  const qemu = await qemuSystemRiscv64();
  await makeRawRoots(image);
  return side('qemu10', `QEMU ${qemu.version}`, qemu, megabytes);
}

export async function qemu7(image: BenchImage, megabytes: number): Promise<Side> {
  const program = 'qemu-system-riscv64';
  await installMissing([{ program, package: 'qemu-system-misc' }], 'the column of QEMU 7.2');
  const { stdout } = capture(program, ['--version']);
  const version = /version (\S+)/.exec(stdout.toString())?.[1] ?? 'unknown';
  if (!version.startsWith('7.2')) {
    throw new Error(`This machine's QEMU is ${version}, not bookworm's 7.2.`);
  }
  await makeRawRoots(image);
  const qemu = { command: program, args: [], version };
  return side('qemu7', `QEMU ${version}`, qemu, megabytes);
}

function side(
  name: 'qemu10' | 'qemu7',
  title: string,
  { command, args }: Qemu,
  megabytes: number,
): Side {
  return {
    name,
    title,
    start(guest, line) {
      const disk = rawDisk(name, guest);
      const all = [
        ...args,
        ...machineArguments(megabytes, guest),
        ...['-smp', '1', '-accel', 'tcg'],
        ...['-serial', 'null', '-monitor', 'none'],
        ...['-chardev', 'stdio,id=terminal,signal=off', '-device', 'virtconsole,chardev=terminal'],
        ...['-drive', `file=${disk},format=raw,if=none,id=disk`],
        ...['-device', 'virtio-blk-device,drive=disk'],
      ];
      return new ProcessSession(
        () => spawn(command, all, { stdio: ['pipe', 'pipe', 'pipe'] }),
        line,
        true,
      );
    },
  };
}
