import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EVENT_KINDS,
  EVENT_TEXT_MAXIMUM,
  EventLog,
  filterEvents,
  REPEAT_MS,
  toJsonLines,
} from './event-log.ts';

function logAt(start = 0, limit?: number) {
  const clock = { now: start };
  return { clock, log: new EventLog(() => clock.now, limit) };
}

describe('event log', () => {
  it('keeps the newest, and no more than its limit', () => {
    const { log } = logAt(0, 3);
    for (const text of ['a', 'b', 'c', 'd']) log.add({ kind: 'host', text });
    expect(log.events.map(({ text }) => text)).toEqual(['b', 'c', 'd']);
  });

  it('counts what repeats instead of listing it, until it has been quiet for a while', () => {
    const { clock, log } = logAt(1000);
    const trouble = { vm: '1', kind: 'disk-error', text: 'The disk is full.' } as const;
    log.add(trouble);
    clock.now += 10;
    // Another VM's event in between does not end the row.
    log.add({ vm: '2', kind: 'booted', text: 'Up.' });
    log.add(trouble);
    expect(log.events).toHaveLength(2);
    expect(log.events[0]).toMatchObject({ time: 1000, until: 1010, count: 2 });
    clock.now += REPEAT_MS;
    log.add(trouble);
    expect(log.events).toHaveLength(3);
  });

  it('gives the same list until something changes, and tells who listens', () => {
    const { log } = logAt();
    let told = 0;
    const stop = log.subscribe(() => told++);
    log.add({ kind: 'host', text: 'a' });
    const { events } = log;
    expect(log.events).toBe(events);
    stop();
    log.add({ kind: 'host', text: 'b' });
    expect(log.events).not.toBe(events);
    expect(events).toHaveLength(1);
    expect(told).toBe(1);
  });

  it('takes stored events back, and nothing that is none', () => {
    const { log } = logAt(5000);
    log.add({ kind: 'host', text: 'now' });
    log.restore([
      { time: 1, kind: 'off', level: 'info', text: 'then', vm: '7' },
      { time: 1, kind: 'no such kind', level: 'info', text: 'x' },
      { time: 1, kind: 'off', level: 'info', text: 'y'.repeat(EVENT_TEXT_MAXIMUM + 1) },
      null,
    ]);
    log.restore('nonsense');
    expect(log.events.map(({ text }) => text)).toEqual(['then', 'now']);
    expect(new Set(log.events.map(({ sequence }) => sequence)).size).toBe(2);
  });

  it('filters by VM, kind, level and words', () => {
    const { log } = logAt();
    log.add({ vm: '1', name: 'web', kind: 'started', text: 'Started.' });
    log.add({ vm: '1', name: 'web', kind: 'crashed', level: 'error', text: 'Kernel panic.' });
    log.add({ vm: '2', name: 'db', kind: 'alert', level: 'warning', text: 'Disk nearly full.' });
    const found = (filter: Parameters<typeof filterEvents>[1]) =>
      filterEvents(log.events, filter).map(({ text }) => text);
    expect(found({ vm: '1' })).toEqual(['Started.', 'Kernel panic.']);
    expect(found({ level: 'warning' })).toEqual(['Kernel panic.', 'Disk nearly full.']);
    expect(found({ kind: 'alert' })).toEqual(['Disk nearly full.']);
    expect(found({ words: 'WEB panic' })).toEqual(['Kernel panic.']);
    expect(found({ words: 'web full' })).toEqual([]);
  });

  it('whatever is added stays bounded, and each exported line is JSON of one event', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            kind: fc.constantFrom(...EVENT_KINDS),
            text: fc.string({ maxLength: 2000, unit: 'binary' }),
            vm: fc.option(fc.string(), { nil: undefined }),
            data: fc.option(fc.dictionary(fc.string(), fc.string({ maxLength: 900 })), {
              nil: undefined,
            }),
          }),
          { maxLength: 60 },
        ),
        (events) => {
          const { log } = logAt(0, 20);
          for (const event of events) log.add(event);
          expect(log.events.length).toBeLessThanOrEqual(20);
          for (const { text, data = {} } of log.events) {
            expect(text.length).toBeLessThanOrEqual(EVENT_TEXT_MAXIMUM);
            for (const value of Object.values(data)) {
              expect(String(value).length).toBeLessThanOrEqual(EVENT_TEXT_MAXIMUM);
            }
          }
          const lines = toJsonLines(log.events).split('\n').slice(0, -1);
          expect(lines.map((line) => JSON.parse(line).text)).toEqual(
            log.events.map(({ text }) => text),
          );
          // What was stored comes back as it was.
          const again = logAt(0, 20).log;
          again.restore(JSON.parse(JSON.stringify(log.events)));
          expect(again.events.map(({ text }) => text)).toEqual(log.events.map(({ text }) => text));
        },
      ),
    );
  });
});
