/** What happened: of one VM, or of all. Filtered as one types, exported as JSON lines. */
import { useMemo, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { SearchField } from 'react-aria-components/SearchField';
import {
  EVENT_KINDS,
  EVENT_LEVELS,
  type EventFilter,
  type EventLevel,
  filterEvents,
  type LogEvent,
  toJsonLines,
} from '../../resources/event-log.ts';
import { Icon } from '../parts/icon.tsx';
import { Choice } from './choice.tsx';
import { download } from './download.ts';
import { useEvents } from './hooks.ts';
import { ScrollingTable } from './table.tsx';
import { formatTime } from './units.ts';

/** Rows that are drawn; the others are in the export. */
const ROWS = 300;

const LEVEL_TITLES: Record<EventLevel, string> = {
  info: 'All levels',
  warning: 'Warnings and errors',
  error: 'Errors only',
};
const LEVEL_WORDS: Record<EventLevel, string> = {
  info: 'Info',
  warning: 'Warning',
  error: 'Error',
};

export function EventsLog({ vm, name }: { vm?: string; name: string }) {
  const events = useEvents();
  const [words, setWords] = useState('');
  const [level, setLevel] = useState<EventLevel>('info');
  const [kind, setKind] = useState('');
  const filter: EventFilter = {
    vm,
    words,
    level,
    kind: EVENT_KINDS.find((known) => known === kind),
  };
  const mine = useMemo(() => filterEvents(events, { vm }), [events, vm]);
  const found = filterEvents(mine, filter);
  const kinds = EVENT_KINDS.filter((known) => mine.some((event) => event.kind === known));
  const filtered = words.trim() !== '' || level !== 'info' || kind !== '';
  const clear = () => {
    setWords('');
    setLevel('info');
    setKind('');
  };
  return (
    <div className="events">
      <div className="view-bar">
        <SearchField className="events-search" value={words} onChange={setWords}>
          <Label className="sr-only">Find in the log</Label>
          <Icon name="search" />
          <Input placeholder="Find in the log" />
        </SearchField>
        <Choice label="Level" value={level} onChange={(value) => setLevel(levelOf(value))}>
          {EVENT_LEVELS.map((each) => (
            <option key={each} value={each}>
              {LEVEL_TITLES[each]}
            </option>
          ))}
        </Choice>
        <Choice label="Kind" value={kind} onChange={setKind}>
          <option value="">All kinds</option>
          {kinds.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </Choice>
        {filtered && (
          <Button className="button" onPress={clear}>
            Clear filter
          </Button>
        )}
        <span className="spacer" />
        <span className="muted" role="status">
          {filtered ? `${found.length} of ${mine.length}` : `${mine.length}`}{' '}
          {mine.length === 1 ? 'event' : 'events'}
        </span>
        <Button
          className="button"
          isDisabled={found.length === 0}
          onPress={() =>
            download(
              `${name.replace(/[^\w.-]+/g, '-')}.events.jsonl`,
              'application/jsonl',
              toJsonLines(found),
            )
          }
        >
          <Icon name="download" /> JSON lines
        </Button>
      </div>
      {found.length === 0 ? (
        <p className="view-empty">
          {filtered
            ? 'Nothing in the log matches the filter.'
            : 'Nothing has happened yet. Starts, stops, snapshots, changed limits and errors will be here.'}
        </p>
      ) : (
        <EventTable events={found} named={vm === undefined} />
      )}
    </div>
  );
}

function EventTable({ events, named }: { events: readonly LogEvent[]; named: boolean }) {
  const rows = events.slice(-ROWS).reverse();
  const more = events.length > ROWS && (
    <p className="hint">
      The latest {ROWS} of {events.length}: filter, or save all as JSON lines.
    </p>
  );
  return (
    <ScrollingTable label="Events" className="event-table" grows after={more}>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {named && <th scope="col">Machine</th>}
          <th scope="col">Kind</th>
          <th scope="col">What happened</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((event) => (
          <tr key={event.sequence} data-level={event.level}>
            <td className="event-time">
              <time
                dateTime={new Date(event.time).toISOString()}
                title={new Date(event.time).toLocaleString()}
              >
                {formatTime(event.time)}
              </time>
            </td>
            {named && <td className="event-name">{event.name ?? '–'}</td>}
            <td className="event-kind">{event.kind}</td>
            <td className="event-text">
              {event.level !== 'info' && (
                <span className="event-level" data-level={event.level}>
                  <Icon name="warning" size={13} /> {LEVEL_WORDS[event.level]}
                </span>
              )}{' '}
              {event.text}
              {event.count !== undefined && <span className="muted"> ×{event.count}</span>}
            </td>
          </tr>
        ))}
      </tbody>
    </ScrollingTable>
  );
}

function levelOf(value: string): EventLevel {
  return EVENT_LEVELS.find((level) => level === value) ?? 'info';
}
