/**
 * The initramfs of a guest whose root is a disk: busybox, the drivers of the disk and its file
 * system, and a script that mounts the disk and hands over to the init there. And the modules that
 * go into the root itself.
 */
import type { Entry } from '../../tools/lib/deb.mjs';
import { type Node, writeCpio } from '../lib/cpio.mjs';
import { busyboxFiles, moduleFiles } from '../lib/micro.mjs';
import { moduleName } from '../lib/modules.mjs';
import type { TarEntry } from './tar.ts';

/** The initramfs needs these to reach the root; they come from the recipe's kernel. */
const drivers = ['virtio_mmio', 'virtio_blk', 'crc32c_generic', 'ext4'];
/** What the modules use and do not name. */
const soft = { ext4: ['crc32c_generic'], jbd2: ['crc32c_generic'] };

/** Words of the kernel's command line that the initramfs obeys. */
export const ROOT_APPEND = 'console=ttyS0 earlycon=sbi cryptomgr.notests root=/dev/vda rw';

const init = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
modprobe -a ${drivers.join(' ')}
root=/dev/vda mode=ro init=/sbin/init options=
for word in $(cat /proc/cmdline); do
  case "$word" in
    root=*) root=\${word#root=} ;;
    rw) mode=rw ;;
    init=*) init=\${word#init=} ;;
    rootflags=*) options=,\${word#rootflags=} ;;
  esac
done
tries=1000
until [ -b "$root" ]; do
  tries=$((tries - 1))
  if [ "$tries" = 0 ]; then
    echo "The root $root did not appear. Is the disk attached?" >/dev/console
    exec sh </dev/console >/dev/console 2>&1
  fi
  usleep 10000
done
if ! mount -t ext4 -o "$mode,noatime$options" "$root" /root; then
  echo "The root $root cannot be mounted." >/dev/console
  exec sh </dev/console >/dev/console 2>&1
fi
mount --move /dev /root/dev
mount --move /sys /root/sys
mount --move /proc /root/proc
exec switch_root /root "$init"
`;

/** @param kernel the files of the kernel's package */
export async function makeInitrd(busybox: Buffer, kernel: Entry[]): Promise<Buffer> {
  const folders = ['bin', 'dev', 'proc', 'sys', 'root'].map(
    (path): Node => ({ path, type: 'folder' }),
  );
  return writeCpio([
    ...folders,
    { path: 'sbin', type: 'link', data: 'bin' },
    { path: 'dev/console', type: 'character', device: [5, 1] },
    { path: 'init', type: 'file', mode: 0o755, data: init },
    ...busyboxFiles(busybox),
    ...(await moduleFiles({ ready: drivers, packed: [], soft }, kernel, console.error)),
  ]);
}

/** Kernel modules and their indexes, below /usr/lib/modules of the root. */
export async function rootModules(names: readonly string[], kernel: Entry[]): Promise<TarEntry[]> {
  const builtin = new Set(
    (kernel.find(({ path }) => path.endsWith('/modules.builtin'))?.data.toString() ?? '')
      .split('\n')
      .map(moduleName),
  );
  const packed = [...drivers, ...names].filter((name) => !builtin.has(moduleName(name)));
  const modules = await moduleFiles({ ready: [], packed, soft }, kernel, console.error);
  const entries = modules.map(({ path, data }): TarEntry => {
    return { path: `usr/${path}`, type: 'file', mode: 0o644, data: Buffer.from(data ?? '') };
  });
  for (const { path, data } of kernel) {
    const match = /^(?:usr\/)?(lib\/modules\/[^/]+\/modules\.[\w.]+)$/.exec(path);
    if (match) entries.push({ path: `usr/${match[1]}`, type: 'file', mode: 0o644, data });
  }
  return entries;
}
