/**
 * The host's side of the agent, a small program in the guest that is asked by lines over a port of
 * the virtio console: `stats` for figures, `clone NAME` when the guest goes on as another one. The
 * guest is not trusted: an answer counts only when one was asked for, lines are bounded, and what
 * does not fit the schema is dropped. A guest without the agent never answers, and nothing waits.
 */
import * as v from 'valibot';
import type { ConsolePort, ConsolePortOptions } from './devices/virtio/console-port.ts';

export const AGENT_PORT = 'org.tabvisor.agent';

/** The ports of a machine: the agent's comes last, or where a snapshot has it. */
export function portsWith(
  agent: GuestAgent,
  ports: readonly ConsolePortOptions[],
  wanted: boolean,
): readonly ConsolePortOptions[] {
  if (ports.some(({ name }) => name === AGENT_PORT)) {
    return ports.map((port) => (port.name === AGENT_PORT ? agent.port : port));
  }
  return wanted ? [...ports, agent.port] : ports;
}

/** Longest line that is looked at, in bytes. */
const LINE_LIMIT = 1024;
const NAME_LIMIT = 32;
const KIB = 1024;

const Decimal = v.pipe(v.string(), v.regex(/^\d{1,9}(\.\d{1,3})?$/), v.transform(Number));
const Kibibytes = v.pipe(
  v.string(),
  v.regex(/^\d{1,12}$/),
  v.transform((text) => Number(text) * KIB),
);
/** Parts between commas. */
const parts = v.pipe(
  v.string(),
  v.transform((text) => text.split(',')),
);

/** `key=value` pairs of an answer to `stats`. Sizes are in KiB on the way. */
const AgentStatsSchema = v.pipe(
  v.object({
    total: Kibibytes,
    free: Kibibytes,
    available: Kibibytes,
    cached: Kibibytes,
    load: v.pipe(parts, v.strictTuple([Decimal, Decimal, Decimal])),
    processes: v.pipe(v.string(), v.regex(/^\d{1,7}$/), v.transform(Number)),
    uptime: Decimal,
    /** Size and what is used of the root file system. */
    root: v.pipe(parts, v.strictTuple([Kibibytes, Kibibytes])),
    /** The busiest process, and how many thousandths of a processor it used. */
    top: v.optional(
      v.pipe(
        parts,
        v.strictTuple([
          v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/), v.maxLength(NAME_LIMIT)),
          v.pipe(v.string(), v.regex(/^\d{1,7}$/), v.transform(Number)),
        ]),
      ),
    ),
  }),
  v.transform(({ total, free, available, cached, load, processes, uptime, root, top }) => ({
    memory: { total, free, available, cached },
    /** Processes that wanted to run, over one, five and fifteen minutes. */
    load,
    processes,
    uptime_s: uptime,
    filesystem: { size: root[0], used: root[1] },
    ...(top && { top: { name: top[0], share: Math.min(1, top[1] / 1000) } }),
  })),
);
/** What a guest's agent says of it; bytes. */
export type AgentStats = v.InferOutput<typeof AgentStatsSchema>;

export class GuestAgent {
  /** The port that the machine needs for it. */
  readonly port: ConsolePortOptions;
  /** The last answer; undefined while there is no agent. */
  stats: AgentStats | undefined;
  #port: ConsolePort | undefined;
  #line = '';
  /** An answer is due. */
  #asked = false;

  constructor() {
    this.port = {
      name: AGENT_PORT,
      open: true,
      onOutput: (data) => this.#receive(data),
      onGuestOpen: () => this.forget(),
    };
  }

  /** Takes the port that the machine has made. */
  attach(port: ConsolePort | undefined): void {
    this.#port = port;
  }

  /** Asks for figures, unless the agent still owes some. */
  requestStats(): void {
    if (this.#port?.guestOpen !== true || this.#port.pending > 0) return;
    this.#asked = true;
    this.#say('stats');
  }

  /** Tells a guest the time (in milliseconds), and that it goes on as another one of that name. */
  clone(name: string, time: number): void {
    this.#say(`time ${Math.round(time / 1000)}`);
    this.#say(`clone ${name.replace(/[^\x21-\x7e]/g, '-')}`);
  }

  /** What was said belongs to another life of the guest. */
  forget(): void {
    this.stats = undefined;
    this.#line = '';
    this.#asked = false;
  }

  #say(line: string): void {
    this.#port?.write(Uint8Array.from(`${line}\n`, (letter) => letter.charCodeAt(0)));
  }

  #receive(data: Uint8Array): void {
    for (const byte of data) {
      if (byte === 0x0a) {
        this.#answer(this.#line);
        this.#line = '';
      } else if (this.#line.length <= LINE_LIMIT) {
        this.#line += String.fromCharCode(byte);
      }
    }
  }

  #answer(line: string): void {
    if (!this.#asked || line.length > LINE_LIMIT || !line.startsWith('stats ')) return;
    this.#asked = false;
    this.stats = parseAgentStats(line);
  }
}

/** Reads an answer to `stats`; undefined when it does not fit. */
export function parseAgentStats(line: string): AgentStats | undefined {
  const pairs = new Map<string, string>();
  for (const word of line.split(' ').slice(1)) {
    const equals = word.indexOf('=');
    if (equals > 0) pairs.set(word.slice(0, equals), word.slice(equals + 1));
  }
  const result = v.safeParse(AgentStatsSchema, Object.fromEntries(pairs));
  return result.success ? result.output : undefined;
}
