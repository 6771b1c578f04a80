/**
 * How far a guest's boot has come, read from what it prints: the kernel's log on the serial port,
 * then the shell on the virtio console. The text is the guest's and only decides which word the
 * page shows, and when a command of the address is typed.
 */
import type { ConsoleSource } from '../worker/protocol.ts';

export type BootStage = 'kernel' | 'init' | 'shell';

const TAIL = 400;
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const ESCAPE_SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;
const PROMPT = /[#$%>] ?$/;

export class BootProgress {
  stage: BootStage = 'kernel';
  private tail = '';
  private decoder = new TextDecoder();

  /** Takes output in; returns whether the stage changed. */
  observe(data: Uint8Array, source: ConsoleSource): boolean {
    // A shell's output is none of this file's business; a kernel that starts again is.
    if (this.stage === 'shell' && source === 'hvc') return false;
    const before = this.stage;
    const text = this.tail + this.decoder.decode(data, { stream: true });
    this.tail = text.slice(-TAIL);
    if (this.stage === 'shell') {
      if (!text.includes('] Linux version ')) return false;
      this.restart();
    }
    if (this.stage === 'kernel' && (source === 'hvc' || text.includes('as init process'))) {
      this.stage = 'init';
    }
    if (source === 'hvc' && PROMPT.test(this.tail.replace(ESCAPE_SEQUENCE, ''))) {
      this.stage = 'shell';
    }
    return this.stage !== before;
  }

  restart(stage: BootStage = 'kernel'): void {
    this.stage = stage;
    this.tail = '';
    this.decoder = new TextDecoder();
  }
}
