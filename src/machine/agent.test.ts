import { expect, test } from 'vitest';
import { AGENT_PORT, GuestAgent, parseAgentStats, portsWith } from './agent.ts';
import { ConsolePort } from './devices/virtio/console-port.ts';

const LINE =
  'stats total=65000 free=40000 available=41000 cached=4400 root=28000,4400 ' +
  'load=0.32,0.08,0.03 processes=7 uptime=20.44 top=kworker/0:1,25';

/** An agent with its port, and what it has asked the guest for. */
function rig() {
  const agent = new GuestAgent();
  const port = new ConsolePort(1, agent.port, { portChanged() {}, controlDue() {} });
  agent.attach(port);
  const asked = () => {
    const { input } = port.fields;
    const text = new TextDecoder().decode(input.peek(input.length));
    input.clear();
    return text;
  };
  const say = (text: string) => agent.port.onOutput(new TextEncoder().encode(text));
  return { agent, port, asked, say };
}

test('an answer that was asked for is read, in bytes', () => {
  const { agent, port, asked, say } = rig();
  agent.requestStats();
  expect(asked()).toBe('');
  port.setGuestOpen(true);
  agent.requestStats();
  expect(asked()).toBe('stats\n');
  say(LINE.slice(0, 30));
  expect(agent.stats).toBeUndefined();
  say(`${LINE.slice(30)}\n`);
  expect(agent.stats).toEqual({
    memory: { total: 66560000, free: 40960000, available: 41984000, cached: 4505600 },
    load: [0.32, 0.08, 0.03],
    processes: 7,
    uptime_s: 20.44,
    filesystem: { size: 28672000, used: 4505600 },
    top: { name: 'kworker/0:1', share: 0.025 },
  });
});

test('what nobody asked for is not looked at, and each question has one answer', () => {
  const { agent, port, say } = rig();
  port.setGuestOpen(true);
  say(`${LINE}\n`);
  expect(agent.stats).toBeUndefined();
  agent.requestStats();
  say(`cloned name\n${LINE}\n${LINE.replace('processes=7', 'processes=8')}\n`);
  expect(agent.stats!.processes).toBe(7);
});

test('a guest that reads nothing is not asked again', () => {
  const { agent, port } = rig();
  port.setGuestOpen(true);
  agent.requestStats();
  agent.requestStats();
  expect(port.pending).toBe('stats\n'.length);
});

test('a flood without an end of line is bounded, and the line after it counts again', () => {
  const { agent, port, say } = rig();
  port.setGuestOpen(true);
  agent.requestStats();
  for (let i = 0; i < 100; i++) say('stats '.repeat(1000));
  say('\n');
  expect(agent.stats).toBeUndefined();
  say(`${LINE}\n`);
  expect(agent.stats!.processes).toBe(7);
});

test('a closed port ends what was known', () => {
  const { agent, port, say } = rig();
  port.setGuestOpen(true);
  agent.requestStats();
  say(`${LINE}\n`);
  port.setGuestOpen(false);
  expect(agent.stats).toBeUndefined();
});

test.each([
  ['a key that is missing', LINE.replace('processes=7 ', '')],
  ['a number that is none', LINE.replace('total=65000', 'total=0x10')],
  ['a negative number', LINE.replace('free=40000', 'free=-1')],
  ['a number beyond all memory', LINE.replace('free=40000', 'free=9999999999999')],
  ['two loads', LINE.replace('0.32,0.08,0.03', '0.32,0.08')],
  ['a name that is very long', LINE.replace('kworker/0:1', 'x'.repeat(40))],
  ['a name with an escape', LINE.replace('kworker/0:1', '\x1b[31m')],
  ['a prototype for a value', `${LINE.replace('processes=7', '')} __proto__=7`],
  ['nothing', 'stats '],
])('%s is no answer', (_, line) => {
  expect(parseAgentStats(line)).toBeUndefined();
});

test('a share is one at most, and a guest that idles names no process', () => {
  expect(parseAgentStats(LINE.replace(',25', ',1534'))!.top!.share).toBe(1);
  expect(parseAgentStats(LINE.replace(/ top=.*/, ''))!.top).toBeUndefined();
});

test('a clone is told the time and its name, in letters that a line can hold', () => {
  const { agent, port, asked } = rig();
  port.setGuestOpen(true);
  agent.clone('a name\n', 1_700_000_000_400);
  expect(asked()).toBe('time 1700000000\nclone a-name-\n');
});

test('the port is the last one, or where a snapshot has it, or not there', () => {
  const agent = new GuestAgent();
  const other = { name: 'other', onOutput() {} };
  const names = (ports: Parameters<typeof portsWith>[1], wanted: boolean) =>
    portsWith(agent, ports, wanted).map(({ name }) => name);
  expect(names([other], true)).toEqual(['other', AGENT_PORT]);
  expect(names([other], false)).toEqual(['other']);
  const ports = portsWith(agent, [{ name: AGENT_PORT, onOutput() {} }, other], false);
  expect(ports).toEqual([agent.port, other]);
});
