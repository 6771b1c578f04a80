/**
 * One VM's terminal: xterm.js with its addons, living outside React's tree. It is made once and
 * moved into whatever pane shows it; while hidden it goes on parsing. Guarantees that keys, pastes
 * and size changes reach the VM and that F6 always leads out.
 */
import '@xterm/xterm/css/xterm.css';
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { SerializeAddon } from '@xterm/addon-serialize';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal } from '@xterm/xterm';
import type { ConsoleSink } from '../../hypervisor/console-stream.ts';
import type { Vm } from '../../hypervisor/vm.ts';
import { getUi, useUi } from '../store.ts';
import { isDark, onThemeChange } from '../theme.ts';
import { acceptDrops } from './drops.ts';
import { terminalTheme } from './terminal-theme.ts';
import { releaseWebgl, takeWebgl } from './webgl.ts';

/** Below this a fit would make the guest wrap everything: the pane is being folded. */
const COLUMNS_MINIMUM = 20;
const SCROLLBACK_LINES = 5000;

const encoder = new TextEncoder();
/** Size of the last pane: what a VM that has not been looked at yet starts with. */
let lastSize = { cols: 80, rows: 24 };

export class ConsoleTerminal implements ConsoleSink {
  readonly terminal: Terminal;
  readonly search = new SearchAddon();
  private readonly fit = new FitAddon();
  private readonly serializer = new SerializeAddon();
  private readonly element = document.createElement('div');
  private readonly disposals: (() => void)[] = [];
  private container: HTMLElement | undefined;
  private readonly observer = new ResizeObserver(() => this.planFit());
  private fitPlanned = false;
  private controlHeld = false;
  private finding = false;
  /** Told when the held Ctrl has been used up. */
  onControlUsed: (() => void) | undefined;

  constructor(private readonly vm: Vm) {
    this.element.className = 'terminal-host';
    this.terminal = new Terminal({
      ...lastSize,
      allowProposedApi: true,
      cursorBlink: false,
      drawBoldTextInBrightColors: false,
      fontFamily:
        'ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, "DejaVu Sans Mono", monospace',
      fontSize: 13,
      lineHeight: 1.25,
      minimumContrastRatio: 4.5,
      scrollback: SCROLLBACK_LINES,
      screenReaderMode: getUi().screenReader,
      theme: terminalTheme(isDark(), false),
    });
    const { terminal } = this;
    terminal.loadAddon(this.fit);
    terminal.loadAddon(this.search);
    terminal.loadAddon(this.serializer);
    terminal.loadAddon(new WebLinksAddon());
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = '11';
    terminal.attachCustomKeyEventHandler((event) => this.keyGoesToGuest(event));
    terminal.onData((text) => vm.input(encoder.encode(this.withControl(text))));
    terminal.onBinary((text) => vm.input(Uint8Array.from(text, (char) => char.charCodeAt(0))));
    terminal.onResize(({ cols, rows }) => vm.resize(cols, rows));
    terminal.onTitleChange((title) => vm.setTitle(title));
    this.disposals.push(acceptDrops(this.element, vm));
    vm.resize(terminal.cols, terminal.rows);
    this.disposals.push(
      onThemeChange(() => this.applyTheme()),
      useUi.subscribe(({ screenReader }) => {
        terminal.options.screenReaderMode = screenReader;
      }),
    );
    vm.console.attach(this);
  }

  get visible(): boolean {
    return this.container !== undefined;
  }

  write(data: Uint8Array, done: () => void): void {
    this.terminal.write(data, done);
  }

  picture(): string {
    return this.serializer.serialize({ scrollback: 0, excludeModes: true, excludeAltBuffer: true });
  }

  /** Moves into a pane; returns how to leave it. */
  show(container: HTMLElement): () => void {
    this.container = container;
    container.append(this.element);
    if (this.terminal.element === undefined) {
      this.terminal.open(this.element);
      this.terminal.textarea?.setAttribute(
        'aria-label',
        `Console of ${this.vm.view.name}. F6 leaves it.`,
      );
      this.addTouchScrolling();
    }
    this.observer.observe(container);
    this.fitNow();
    void takeWebgl(this.terminal);
    this.terminal.refresh(0, this.terminal.rows - 1);
    return () => {
      if (this.container !== container) return;
      this.observer.disconnect();
      this.container = undefined;
      this.element.remove();
    };
  }

  /** The next letter is typed with Ctrl: for keyboards that have no such key. */
  holdControl(hold: boolean): void {
    this.controlHeld = hold;
  }

  /** A search is under way: the match that it has come to stands out. */
  setFinding(finding: boolean): void {
    this.finding = finding;
    this.applyTheme();
  }

  focus(): void {
    this.terminal.focus();
  }

  /** The whole scrollback as text, trailing blanks removed. */
  text(): string {
    const buffer = this.terminal.buffer.normal;
    const lines: string[] = [];
    for (let row = 0; row < buffer.length; row++) {
      const line = buffer.getLine(row);
      const text = line?.translateToString(true) ?? '';
      if (line?.isWrapped && lines.length > 0) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    return `${lines.join('\n').trimEnd()}\n`;
  }

  /** Scrollback with its colours, as escape sequences. */
  serialize(): string {
    return this.serializer.serialize();
  }

  dispose(): void {
    this.observer.disconnect();
    for (const dispose of this.disposals) dispose();
    this.vm.console.detach();
    releaseWebgl(this.terminal);
    this.terminal.dispose();
    this.element.remove();
  }

  /** False for the page's own keys; those bubble to the page's key handler. */
  private keyGoesToGuest(event: KeyboardEvent): boolean {
    if (event.key === 'F6') return false;
    if (!event.ctrlKey || !event.shiftKey || event.altKey) return true;
    const key = event.key.toLowerCase();
    if (key === 'c') {
      event.preventDefault();
      if (event.type === 'keydown' && this.terminal.hasSelection()) {
        void navigator.clipboard?.writeText(this.terminal.getSelection()).catch(() => {});
      }
      return false;
    }
    // V is the browser's own paste, F finds, P is the palette.
    return !['v', 'f', 'p'].includes(key);
  }

  private applyTheme(): void {
    this.terminal.options.theme = terminalTheme(isDark(), this.finding);
  }

  private withControl(text: string): string {
    if (!this.controlHeld || !/^[@-_a-z]$/.test(text)) return text;
    this.controlHeld = false;
    this.onControlUsed?.();
    return String.fromCharCode(text.charCodeAt(0) & 0x1f);
  }

  private planFit(): void {
    if (this.fitPlanned) return;
    this.fitPlanned = true;
    requestAnimationFrame(() => {
      this.fitPlanned = false;
      this.fitNow();
    });
  }

  private fitNow(): void {
    const size = this.fit.proposeDimensions();
    if (!this.visible || size === undefined || !(size.cols >= COLUMNS_MINIMUM)) return;
    if (size.cols !== this.terminal.cols || size.rows !== this.terminal.rows) {
      this.terminal.resize(size.cols, size.rows);
    }
    lastSize = { cols: this.terminal.cols, rows: this.terminal.rows };
  }

  /** Dragging scrolls: the scrollback, or by arrow keys in programs that own the screen. */
  private addTouchScrolling(): void {
    let lastY: number | undefined;
    const options = { signal: undefined, passive: true } as const;
    this.element.addEventListener(
      'touchstart',
      (event) => {
        lastY = event.touches.length === 1 ? event.touches[0]?.clientY : undefined;
      },
      options,
    );
    this.element.addEventListener(
      'touchmove',
      (event) => {
        const y = event.touches[0]?.clientY;
        if (y === undefined || lastY === undefined) return;
        const lineHeight = this.element.clientHeight / this.terminal.rows;
        const lines = Math.trunc((lastY - y) / lineHeight);
        if (lines === 0) return;
        lastY -= lines * lineHeight;
        if (this.terminal.buffer.active.type === 'alternate') {
          this.vm.input(encoder.encode((lines > 0 ? '\x1b[B' : '\x1b[A').repeat(Math.abs(lines))));
        } else this.terminal.scrollLines(lines);
      },
      options,
    );
  }
}
