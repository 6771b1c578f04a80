/**
 * WebGL for the consoles that are looked at. A page has about sixteen contexts and the oldest dies
 * silently, so at most eight terminals hold one, and the least recently shown gives its up first.
 * Without real graphics hardware the DOM renderer is faster and is kept.
 */
import type { WebglAddon } from '@xterm/addon-webgl';
import type { Terminal } from '@xterm/xterm';

const CONTEXT_LIMIT = 8;

/** Terminals with a context, least recently shown first. */
const holders = new Map<Terminal, WebglAddon>();
let usable: boolean | undefined;

/** Drivers that draw on the processor. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

function hardwareGraphics(): boolean {
  const context = document
    .createElement('canvas')
    .getContext('webgl2', { failIfMajorPerformanceCaveat: true });
  if (context === null) return false;
  const info = context.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(context.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
  context.getExtension('WEBGL_lose_context')?.loseContext();
  return !SOFTWARE.test(renderer);
}

export async function takeWebgl(terminal: Terminal): Promise<void> {
  usable ??= hardwareGraphics();
  if (!usable) return;
  const held = holders.get(terminal);
  if (held !== undefined) {
    holders.delete(terminal);
    holders.set(terminal, held);
    return;
  }
  const { WebglAddon } = await import('@xterm/addon-webgl');
  if (terminal.element === undefined || holders.has(terminal)) return;
  const addon = new WebglAddon();
  addon.onContextLoss(() => releaseWebgl(terminal));
  try {
    terminal.loadAddon(addon);
  } catch {
    usable = false;
    return;
  }
  holders.set(terminal, addon);
  for (const oldest of holders.keys()) {
    if (holders.size <= CONTEXT_LIMIT) break;
    releaseWebgl(oldest);
  }
}

export function releaseWebgl(terminal: Terminal): void {
  const addon = holders.get(terminal);
  if (addon === undefined) return;
  holders.delete(terminal);
  // The addon does not give its context back by itself.
  const contexts = [...(terminal.element?.querySelectorAll('canvas') ?? [])].map((canvas) =>
    canvas.getContext('webgl2'),
  );
  addon.dispose();
  for (const context of contexts) context?.getExtension('WEBGL_lose_context')?.loseContext();
}
