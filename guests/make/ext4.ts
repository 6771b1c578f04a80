/**
 * ext4 images made and checked without root, by Debian's own e2fsprogs (fetched and unpacked under
 * .cache, for those of the machine may be too old to take an archive).
 */
import { createHash } from 'node:crypto';
import { capture, lastWords, Plain } from '../../tools/lib/shell.mjs';
import { unpackedPrograms } from '../../tools/lib/unpacked.mjs';

/** The programs that images are made with, zstd among them. */
export function imageTools() {
  return unpackedPrograms('image-tools', ['e2fsprogs', 'libarchive13t64', 'zstd'], console.error);
}

/** Blocks of the journal in MB: small, for the guest flushes often and its disk is quick. */
const JOURNAL_MB = 16;

/** Makes an ext4 image of `size` bytes with the files of a tar archive. The same archive, the same image. */
export async function makeExt4(image: string, archive: string, size: number, seed: string) {
  // Names of the file system come from what is in it, so that equal images share their chunks.
  const uuid = uuidOf(seed);
  await e2fs('usr/sbin/mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '1', '-L', 'root', '-U', uuid],
    // Tables are written out: the guest's kernel would otherwise zero them in the background.
    // No journal yet: what configuring left in it would be a part of the image.
    ...['-E', `hash_seed=${uuid},lazy_itable_init=0,root_owner=0:0`, '-O', '^has_journal'],
    ...['-d', archive, image, `${Math.floor(size / 1024)}k`],
  ]);
}

/** Adds the journal, gives back what files left behind, and sees that all is right. */
export async function finishExt4(image: string) {
  await e2fs('usr/sbin/tune2fs', ['-O', 'has_journal', '-J', `size=${JOURNAL_MB}`, image]);
  await e2fs('usr/sbin/e2fsck', ['-fy', '-E', 'discard', image], [0, 1]);
  await e2fs('usr/sbin/e2fsck', ['-fn', image]);
}

function uuidOf(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

async function e2fs(program: string, args: readonly string[], fine: readonly number[] = [0]) {
  const tools = await imageTools();
  const { command, args: before } = tools(program);
  const env = {
    ...process.env,
    SOURCE_DATE_EPOCH: '1',
    E2FSPROGS_FAKE_TIME: '1',
    LC_ALL: 'C.UTF-8',
  };
  const { status, stdout, stderr } = capture(command, [...before, ...args], { env });
  if (status === null || !fine.includes(status)) {
    throw new Plain(
      `${program.replace(/.*\//, '')} failed: ${lastWords(`${stdout.toString()}\n${stderr}`)}.`,
    );
  }
}
