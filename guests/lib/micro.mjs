/**
 * The template `micro`: Debian's kernel as it is, and an initramfs of busybox, the modules that the
 * recipe names, and the files under guests/micro/root.
 */
import { readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readDeb } from '../../tools/lib/deb.mjs';
import { debianPackages } from '../../tools/lib/debian.mjs';
import { filesUnder } from '../../tools/lib/fingerprint.mjs';
import { capture, lastWords, Plain, which } from '../../tools/lib/shell.mjs';
import { unpackedPrograms } from '../../tools/lib/unpacked.mjs';
import { writeCpio } from './cpio.mjs';
import { moduleClosure, moduleIndexes, moduleName } from './modules.mjs';

const architecture = 'riscv64';
const guests = fileURLToPath(new URL('..', import.meta.url));
/** Programs that it shares with the guests on disks. */
const COMMON = ['guest-agent', 'await-start'];

/**
 * @typedef {object} Recipe
 * @property {string} name
 * @property {{ kernel: string, busybox: string }} packages
 * @property {{ ready: string[], packed: string[], soft: Record<string, string[]> }} modules `ready`
 *   ones are stored unpacked, for every boot loads them; the others stay as Debian packed them
 */

/**
 * @param {Recipe} recipe
 * @param {string} overlay folder of files that go into the initramfs as they are
 * @param {(line: string) => void} log
 * @returns {Promise<import('../build.mjs').Image>}
 */
export async function buildMicro(recipe, overlay, log) {
  const { kernel, files, packages } = await kernelFiles(recipe.packages.kernel, log);
  const busybox = await busyboxProgram(recipe.packages.busybox, log);
  return {
    kernel,
    initrd: writeCpio([
      ...skeleton(),
      ...busyboxFiles(busybox.program),
      ...(await moduleFiles(recipe.modules, files, log)),
      ...overlayFiles(overlay),
      ...COMMON.map((name) => overlayFile(join(guests, 'common', name), `bin/${name}`)),
    ]),
    packages: Object.fromEntries(
      [...packages, ...busybox.packages].map(({ name, version }) => [name, version]),
    ),
  };
}

/**
 * Debian's kernel: the image, and the files of its package that are modules or describe them.
 * @param {string} name the kernel's package, or the metapackage that points at it
 * @param {(line: string) => void} log
 */
export async function kernelFiles(name, log) {
  const packages = await debianPackages(architecture, [name], { follow: /^linux-image-\d/, log });
  const one = packages.find((entry) => /^linux-image-\d/.test(entry.name));
  if (!one) throw new Plain(`The package ${name} led to no kernel.`);
  const wanted = /^boot\/vmlinu|\.ko\.xz$|\/modules\.(builtin|builtin\.modinfo|order)$/;
  const files = await readDeb(one.file, (path) => wanted.test(path));
  const kernel = files.find(({ path, data }) => path.startsWith('boot/') && isKernelImage(data));
  if (!kernel) throw new Plain(`The package ${one.name} holds no RISC-V kernel image.`);
  return { kernel: kernel.data, files, packages };
}

/** busybox as one program that needs no library. @param {string} name @param {(line: string) => void} log */
export async function busyboxProgram(name, log) {
  const packages = await debianPackages(architecture, [name], { log });
  const one = packages.find((entry) => entry.name === name);
  const [busybox] = one
    ? await readDeb(one.file, (path) => /^(usr\/)?bin\/busybox$/.test(path))
    : [];
  if (!busybox) throw new Plain(`The package ${name} holds no busybox.`);
  return { program: busybox.data, packages };
}

/** A RISC-V Image says so in its header (Documentation/arch/riscv/boot-image-header.rst). @param {Buffer} data */
function isKernelImage(data) {
  return data.toString('latin1', 0x38, 0x3c) === 'RSC\x05';
}

/** @returns {import('./cpio.mjs').Node[]} */
function skeleton() {
  const folders = ['bin', 'dev', 'etc', 'mnt', 'proc', 'run', 'sys', 'usr', 'var'];
  return [
    ...folders.map((path) => ({ path, type: /** @type {const} */ ('folder') })),
    { path: 'root', type: 'folder', mode: 0o700 },
    { path: 'tmp', type: 'folder', mode: 0o1777 },
    { path: 'dev/console', type: 'character', device: [5, 1] },
    { path: 'init', type: 'link', data: 'bin/busybox' },
    ...['sbin', 'usr/bin', 'usr/sbin'].map((path) => ({
      path,
      type: /** @type {const} */ ('link'),
      data: path.startsWith('usr/') ? '../bin' : 'bin',
    })),
    { path: 'etc/mtab', type: 'link', data: '../proc/self/mounts' },
  ];
}

/**
 * busybox and a link for each of its applets, whose sorted names the program holds as one run of
 * strings.
 * @param {Buffer} program
 * @returns {import('./cpio.mjs').Node[]}
 */
export function busyboxFiles(program) {
  const start = program.indexOf('[\0[[\0');
  const end = program.indexOf('\0\0', start);
  const applets = start < 0 ? [] : program.toString('latin1', start, end).split('\0');
  const missing = ['init', 'sh', 'mount', 'modprobe', 'setsid', 'mkfifo'].filter(
    (applet) => !applets.includes(applet),
  );
  if (missing.length > 0) {
    throw new Plain(
      `This busybox lacks ${missing.join(', ')}: the template cannot be made with it.`,
    );
  }
  return [
    { path: 'bin/busybox', type: 'file', mode: 0o755, data: program },
    ...applets
      .filter((applet) => applet !== 'busybox')
      .map((applet) => ({
        path: `bin/${applet}`,
        type: /** @type {const} */ ('link'),
        data: 'busybox',
      })),
  ];
}

/**
 * @param {Recipe['modules']} modules
 * @param {import('../../tools/lib/deb.mjs').Entry[]} files of the kernel package
 * @param {(line: string) => void} log
 * @returns {Promise<import('./cpio.mjs').Node[]>}
 */
export async function moduleFiles({ ready, packed, soft }, files, log) {
  const base = /^(?:usr\/)?lib\/modules\/([^/]+)\//;
  const version = files.map(({ path }) => base.exec(path)?.[1]).find(Boolean);
  const available = new Map(
    files
      .filter(({ path }) => base.test(path))
      .map(({ path, data }) => [moduleName(path), { path: path.replace(base, ''), packed: data }]),
  );
  const xz = await findXz(log);
  const unpack = (/** @type {Buffer} */ input) => {
    const { ok, stdout, stderr } = capture(xz.command, [...xz.args, '-dc'], { input });
    if (!ok) throw new Plain(`xz could not unpack a kernel module: ${lastWords(stderr)}.`);
    return stdout;
  };
  const modules = moduleClosure(available, [...ready, ...packed], soft, unpack);
  const atOnce = moduleClosure(available, ready, soft, unpack);
  for (const [name, module] of modules) {
    if (atOnce.has(name)) module.path = module.path.replace(/\.xz$/, '');
  }
  const folder = `lib/modules/${version}`;
  const { dep, alias } = moduleIndexes(modules);
  return [
    ...[...modules.values()].map((module) => ({
      path: `${folder}/${module.path}`,
      type: /** @type {const} */ ('file'),
      data: atOnce.has(module.name) ? module.object : module.packed,
    })),
    { path: `${folder}/modules.dep`, type: 'file', data: dep },
    { path: `${folder}/modules.alias`, type: 'file', data: alias },
  ];
}

/** xz of this machine, or Debian's, unpacked beside. @param {(line: string) => void} log */
async function findXz(log) {
  const own = which('xz');
  if (own) return { command: own, args: [] };
  const programs = await unpackedPrograms('xz', ['xz-utils'], log);
  return programs('usr/bin/xz');
}

/** @param {string} folder @returns {import('./cpio.mjs').Node[]} */
function overlayFiles(folder) {
  return filesUnder(folder).map((file) => overlayFile(file, relative(folder, file)));
}

/** @param {string} file @param {string} path @returns {import('./cpio.mjs').Node} */
function overlayFile(file, path) {
  const mode = statSync(file).mode & 0o100 ? 0o755 : 0o644;
  return { path, type: 'file', mode, data: readFileSync(file) };
}
