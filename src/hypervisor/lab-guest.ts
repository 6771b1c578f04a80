/**
 * A lab's files and commands in a guest: they lie in its shared folder, a script among them runs at its
 * prompt and leaves there how it ended. Guarantees that what a guest says is read within bounds.
 */
import type { LabMember } from '../resources/lab.ts';
import type { Vm } from './vm.ts';

/** In the shared folder. */
const FOLDER = '.lab';
const IN_GUEST = `/mnt/shared/${FOLDER}`;
/** Bytes of a guest's word on its commands. */
const WORD_MAXIMUM = 2000;

/** The word of a guest whose commands have all ended well. */
export const READY = 'ready';
/** What is typed at the prompt: the folder is mounted a moment after it. */
export const START = `until grep -q /mnt/shared /proc/mounts; do sleep 0.2; done; sh ${IN_GUEST}/start`;

/** What the guest runs at its prompt, and says its end of; undefined when there is nothing to run. */
export function scriptOf({ vm: { files = [], run = [], ready } }: LabMember): string | undefined {
  const { command } = ready ?? {};
  if (files.length + run.length === 0 && command === undefined) return undefined;
  return [
    `say() { printf %s "$1" >${IN_GUEST}/status.new; mv ${IN_GUEST}/status.new ${IN_GUEST}/status; }`,
    'fail() { say "$1"; exit 1; }',
    'cd',
    ...files.map(({ path, mode }, index) => {
      const file = quoted(path);
      const parts = [
        `mkdir -p "$(dirname ${file})"`,
        `cp ${IN_GUEST}/${index} ${file}`,
        ...(mode === undefined ? [] : [`chmod ${mode} ${file}`]),
      ];
      return `{ ${parts.join(' && ')}; } || fail ${quoted(`${path} could not be put there.`)}`;
    }),
    ...run.map((text) => `sh -c ${quoted(text)} || fail ${quoted(`“${text}” ended with `)}"$?."`),
    ...(command === undefined ? [] : [`until sh -c ${quoted(command)}; do sleep 0.5; done`]),
    `say ${READY}`,
    '',
  ].join('\n');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Puts the script and the files of a lab where the guest finds them. */
export async function giveWork(
  vm: Vm,
  { vm: { files = [] } }: LabMember,
  script: string,
  source: ((path: string) => Promise<Blob>) | undefined,
): Promise<void> {
  await vm.shared.makeFolder(FOLDER);
  await vm.shared.put(`${FOLDER}/start`, new Blob([script]));
  for (const [index, file] of files.entries()) {
    const from = file.source === undefined ? undefined : source?.(file.source);
    await vm.shared.put(`${FOLDER}/${index}`, (await from) ?? new Blob([file.text ?? '']));
  }
}

/** The guest's word: `READY`, or what failed; undefined before it has said one. */
export async function wordOf(vm: Vm): Promise<string | undefined> {
  const path = `${FOLDER}/status`;
  const there = await vm.shared.size(path).then(
    () => true,
    () => false,
  );
  if (!there) return undefined;
  const decoder = new TextDecoder();
  const reader = vm.shared.read(path).getReader();
  let word = '';
  // It may grow while it is read.
  for (let size = 0; size <= WORD_MAXIMUM; ) {
    const { done, value } = await reader.read();
    if (done) return word;
    size += value.length;
    word += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return 'it said too much about its commands.';
}
