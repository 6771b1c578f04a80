/**
 * Runs a recipe's packages' maintainer scripts, and its commands, inside Tabvisor: the template micro
 * boots with the unpacked disk and changes its root into it. Whatever happens there, the disk is
 * unmounted or the failure is reported with the guest's last words.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { lastWords, Plain } from '../../tools/lib/shell.mjs';

const tabvisor = fileURLToPath(new URL('../../bin/tabvisor', import.meta.url));

/** Environment and mounts of a root that is being made; daemons that packages want do not start. */
const enter = `set -e
mkdir -p /mnt/root
mount -t ext4 -o noatime /dev/vda /mnt/root
cd /mnt/root
tar x -f - -C /mnt/root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --bind /dev dev
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p usr/sbin
printf '#!/bin/sh\\nexit 101\\n' >usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
`;

const leave = `rm -f usr/sbin/policy-rc.d .tabvisor.sh
cd /
umount /mnt/root/tmp /mnt/root/run /mnt/root/dev/pts /mnt/root/dev /mnt/root/sys /mnt/root/proc
umount /mnt/root
sync
`;

const environment =
  'env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 ' +
  'DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true SYSTEMD_OFFLINE=1';

/** Scripts before unpacking that only make what must be there; others concern upgrades. */
export const configureScript = `
dpkg_all() {
  for script in /var/lib/dpkg/info/base-passwd.preinst; do
    [ -x "$script" ] || continue
    DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE=base-passwd "$script" install
  done
  if [ ! -e /usr/bin/awk ] && [ -e /usr/bin/mawk ]; then ln -s mawk /usr/bin/awk; temporary=/usr/bin/awk; fi
  dpkg --force-depends --configure base-passwd base-files 2>&1 || true
  [ -z "\${temporary:-}" ] || rm -f "$temporary"
  dpkg --configure -a 2>&1
  dpkg --audit >&2
  [ -z "$(dpkg --audit)" ]
}
dpkg_all
`;

export interface GuestScript {
  readonly image: string;
  /** A tar archive that is unpacked into the root first. */
  readonly archive: string;
  /** Shell, run as root in the new root. */
  readonly script: string;
  readonly megabytes: number;
  readonly onLine: (line: string) => void;
}

/** Runs a script in the root of `image`; ends when the disk is unmounted. */
export async function runInGuest({ image, archive, script, megabytes, onLine }: GuestScript) {
  const command = `${enter}
cat >.tabvisor.sh <<'END-OF-SCRIPT'
set -e
cd /
${script}
END-OF-SCRIPT
${environment} chroot . /bin/sh /.tabvisor.sh </dev/null || { code=$?; echo "The script ended with $code." >&2; sync; exit "$code"; }
${leave}`;
  const input = openSync(archive, 'r');
  let tail = '';
  try {
    const child = spawn(
      process.execPath,
      [
        tabvisor,
        ...['run', '--template', 'micro', '--memory', `${megabytes}M`],
        ...['--disk', image, '--exec', command],
      ],
      { stdio: [input, 'pipe', 'pipe'] },
    );
    const take = (data: Buffer) => {
      const text = data.toString();
      tail = (tail + text).slice(-4000);
      for (const line of text.split('\n')) if (line.trim() !== '') onLine(line);
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    const code = await new Promise((done) => child.on('close', done).on('error', () => done(-1)));
    if (code !== 0)
      throw new Plain(`Configuring the guest failed (${code}): ${lastWords(tail, 12)}`);
  } finally {
    closeSync(input);
  }
}
