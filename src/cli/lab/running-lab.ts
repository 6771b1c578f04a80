/**
 * A lab that is up: its guests in order of the file, brought up, updated, ended. Relies on the order
 * and the update of resources/lab-run.ts; guarantees that `end` leaves no thread and no file behind.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabMember, labSeconds } from '../../resources/lab.ts';
import { bringUp, rollingUpdate, type UpdateEnd } from '../../resources/lab-run.ts';
import { CpuScheduler, guestCapacity } from '../../resources/scheduler.ts';
import { Guest } from './guest.ts';
import { filesOf, type LoadedLab, wordsOf } from './lab-members.ts';

export class RunningLab {
  readonly guests = new Map<string, Guest>();
  readonly #scheduler: CpuScheduler;
  readonly #expiries = new Map<string, NodeJS.Timeout>();
  #scratch: Promise<string> | undefined;
  #blanks = 0;
  #updating = false;
  #ending: Promise<void> | undefined;

  constructor(
    public loaded: LoadedLab,
    private readonly line: (vm: string, text: string) => void,
    cpus: number = guestCapacity(availableParallelism()),
  ) {
    this.#scheduler = new CpuScheduler(cpus);
  }

  async up(): Promise<void> {
    await bringUp(this.loaded.members, async (member) => {
      const guest = await this.#start(member, this.loaded.folder);
      this.line(member.name, 'Starting.');
      await guest.bringUp();
      this.line(member.name, 'Ready.');
    });
  }

  /** The VMs that the new lab describes in another way, replaced in batches. */
  async update(next: LoadedLab, batch: number): Promise<UpdateEnd> {
    if (this.#updating) throw new Error('An update is under way already. Wait for its end.');
    const names = (members: readonly LabMember[]) =>
      members
        .map(({ name }) => name)
        .sort()
        .join();
    if (names(next.members) !== names(this.loaded.members)) {
      throw new Error(
        'An update keeps the names of the VMs. Take the lab down and up to change them.',
      );
    }
    const former = this.loaded;
    const old = new Map(this.guests);
    const before = new Map(former.members.map((member) => [member.name, member]));
    const changed = next.members.filter((member) => {
      return JSON.stringify(before.get(member.name)) !== JSON.stringify(member);
    });
    this.#updating = true;
    try {
      const end = await rollingUpdate(changed, batch, {
        replace: async (member) => {
          const guest = old.get(member.name);
          // Two cannot have the same disk file open.
          if (keepsFiles(member) || guest === undefined || keepsFiles(guest.options.member)) {
            await guest?.end();
          } else if (guest.live) guest.pause(true);
          const fresh = await this.#start(member, next.folder);
          await fresh.bringUp();
          this.line(member.name, 'Updated.');
        },
        settle: async ({ name }) => old.get(name)?.end(),
        restore: async ({ name }) => {
          const guest = old.get(name);
          const current = this.guests.get(name);
          if (current !== guest) await current?.end();
          if (guest?.live) {
            this.guests.set(name, guest);
            guest.pause(false);
          } else {
            const member = before.get(name);
            if (member) await (await this.#start(member, former.folder)).bringUp();
          }
          this.line(name, 'As it was before the update.');
        },
      });
      if (end.kind === 'updated') this.loaded = next;
      return end;
    } finally {
      this.#updating = false;
    }
  }

  get all(): readonly Guest[] {
    return this.loaded.members.flatMap(({ name }) => this.guests.get(name) ?? []);
  }

  end(): Promise<void> {
    this.#ending ??= (async () => {
      for (const timer of this.#expiries.values()) clearTimeout(timer);
      await Promise.all([...this.guests.values()].map((guest) => guest.end()));
      if (this.#scratch) await rm(await this.#scratch, { recursive: true, force: true });
    })();
    return this.#ending;
  }

  async #start(member: LabMember, folder: string): Promise<Guest> {
    const { name } = member;
    const [words, files] = await Promise.all([
      wordsOf(member, folder, (bytes) => this.#blank(bytes)),
      filesOf(member, folder),
    ]);
    if (this.#ending) throw new Error('The lab is being taken down.');
    const scheduler = this.#scheduler;
    const line = (text: string) => this.line(name, text);
    const guest = new Guest({ member, words, files, scheduler, line });
    this.guests.set(name, guest);
    clearTimeout(this.#expiries.get(name));
    const { expires } = member.vm;
    if (expires !== undefined) {
      const expire = () => {
        this.line(name, `Its time is up (${expires}): powered off.`);
        void guest.end();
      };
      const ms = Math.min(labSeconds(expires) * 1000, 2 ** 31 - 1);
      this.#expiries.set(name, setTimeout(expire, ms).unref());
    }
    return guest;
  }

  async #blank(bytes: number): Promise<string> {
    this.#scratch ??= mkdtemp(join(tmpdir(), 'tabvisor-lab-'));
    const path = join(await this.#scratch, `${this.#blanks++}.img`);
    const file = await open(path, 'wx', 0o600);
    await file.truncate(bytes);
    await file.close();
    return path;
  }
}

function keepsFiles({ vm }: LabMember): boolean {
  return (vm.disks ?? []).some(({ file, readOnly }) => file !== undefined && !readOnly);
}
