/** The storage of this browser: how much is used, whether it stays, and what uses what. */
import { Button } from 'react-aria-components/Button';
import { useStore } from 'zustand';
import type { DiskListing } from '../../hypervisor/storage/api.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { formatBytes } from '../format.ts';
import { vmAddress } from '../navigation.ts';
import { IconButton, Notice } from '../parts/controls.tsx';
import { Icon } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import { addConsole, setUi } from '../store.ts';
import { chooseImport, exportDisk, importDisks, removeSnapshots } from './actions.ts';
import { cleanUp, forgetImages, useCached } from './clean-up.ts';
import { type Room, useDisks, useRoom, useSnapshots } from './hooks.ts';
import { WithStorage } from './storage-state.tsx';
import { type Use, usesOf } from './uses.ts';
import './storage.css';

/** From here on the person is told, in shares of what the browser grants. */
const NEARLY_FULL = 0.9;

export default function StoragePage() {
  const { storage, list } = useSnapshots();
  const { room, failure, again } = useRoom();
  return (
    <div className="storage-view wide-view">
      <div className="view-head">
        <h1>Storage</h1>
        <Button className="button" onPress={() => void chooseImport()}>
          <Icon name="upload" /> Import a VM…
        </Button>
        <Button className="button" onPress={() => void importDisks()}>
          <Icon name="disk" /> Import a disk…
        </Button>
      </div>
      {room !== undefined && room.quota > 0 && room.used / room.quota > NEARLY_FULL && (
        <Notice tone="warning">
          The storage is nearly full: guests will get errors when they write. What is flushed stays.
          Remove snapshots or disks below.
        </Notice>
      )}
      {failure !== undefined && <Notice tone="error">{failure}</Notice>}
      <div className="view-section">
        {room !== undefined && <RoomCard room={room} onChange={again} />}
      </div>
      <WithStorage storage={storage}>
        <WhatUsesWhat list={list} />
      </WithStorage>
    </div>
  );
}

function RoomCard({ room, onChange }: { room: Room; onChange: () => void }) {
  const { used, quota, persistent } = room;
  const share = quota > 0 ? used / quota : 0;
  const persist = () =>
    void fleet.tasks.run('Ask the browser to keep the storage', {}, async (task) => {
      if (!(await fleet.storage.persist())) {
        throw new Error(
          'The browser did not agree. Chrome and Edge agree for pages that are installed or bookmarked; Firefox asks.',
        );
      }
      task.says('It agreed.');
      onChange();
    });
  return (
    <section className="room" aria-label="Room">
      <p className="room-line">
        <strong>
          {formatBytes(used)} used of {formatBytes(quota)}
        </strong>
        <span className="muted">{formatBytes(Math.max(0, quota - used))} left</span>
      </p>
      <span className="meter" data-full={share > NEARLY_FULL || undefined} aria-hidden="true">
        <span style={{ inlineSize: `${Math.min(100, share * 100)}%` }} />
      </span>
      <p className="room-line">
        {persistent ? (
          <span className="with-check">
            <Icon name="shield" /> The browser keeps it, also when this computer’s disk is full.
          </span>
        ) : (
          <>
            <span>The browser may clear it when this computer’s disk is full.</span>
            <Button className="button small" onPress={persist}>
              Ask it to keep the storage
            </Button>
          </>
        )}
      </p>
    </section>
  );
}

function WhatUsesWhat({ list }: { list: readonly SnapshotRecord[] }) {
  const vms = useStore(fleet.store, (state) => state.vms);
  const { disks, again } = useDisks();
  const { cached, refresh } = useCached();
  const machines = fleet.all.map(({ view, specification }) => ({
    id: view.id,
    name: view.name,
    keptId: view.keptId,
    current: view.current,
    disks: specification.disks ?? [],
  }));
  void vms;
  const { uses, looseDisks, looseSnapshots } = usesOf(machines, disks ?? [], list);
  const loose =
    looseDisks.reduce((sum, { stored }) => sum + stored, 0) +
    looseSnapshots.reduce((sum, { bytes }) => sum + bytes, 0);
  const nothing = looseDisks.length === 0 && looseSnapshots.length === 0;
  return (
    <>
      <section className="view-section" aria-labelledby="uses">
        <h2 id="uses">What uses what</h2>
        <table className="rows">
          <thead>
            <tr>
              <th scope="col">Machine</th>
              <th scope="col" className="number wide-only">
                Disks
              </th>
              <th scope="col" className="number wide-only">
                Snapshots
              </th>
              <th scope="col" className="number">
                In all
              </th>
              <th scope="col">
                <span className="sr-only">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {uses.map((use) => (
              <UseRow key={use.id} use={use} />
            ))}
            <tr>
              <td className="grow">
                <span className="with-icon">
                  <Icon name="download" />
                  <span className="ellipsis">The page and images, kept for the next time</span>
                </span>
              </td>
              <td className="wide-only" />
              <td className="wide-only" />
              <td className="number">{cached === undefined ? '…' : formatBytes(cached)}</td>
              <td className="actions">
                <IconButton
                  icon="eraser"
                  label="Remove downloaded images"
                  onPress={() => void forgetImages().finally(refresh)}
                />
              </td>
            </tr>
          </tbody>
        </table>
        {uses.length === 0 && <p className="hint">No machine has anything in storage yet.</p>}
      </section>
      <section className="view-section" aria-labelledby="loose">
        <div className="room-line">
          <h2 id="loose">What no machine has</h2>
          <Button
            className="button"
            isDisabled={nothing}
            onPress={() => void cleanUp(looseDisks, looseSnapshots).finally(again)}
          >
            <Icon name="eraser" /> Clean up
            {loose > 0 && `: about ${formatBytes(loose)}`}
          </Button>
        </div>
        {nothing ? (
          <p className="hint">Nothing: every disk and snapshot belongs to a machine.</p>
        ) : (
          <table className="rows">
            <tbody>
              {looseDisks.map((disk) => (
                <LooseDisk key={disk.id} disk={disk} onChange={again} />
              ))}
              {looseSnapshots.map((record) => (
                <LooseSnapshot key={record.id} record={record} />
              ))}
            </tbody>
          </table>
        )}
      </section>
    </>
  );
}

function UseRow({ use }: { use: Use }) {
  return (
    <tr>
      <td className="grow">
        <span className="with-icon">
          <Icon name="terminal" />
          <a
            className="link ellipsis"
            href={vmAddress(use.id, 'snapshots')}
            onClick={() => addConsole(use.id)}
          >
            {use.name}
          </a>
        </span>
      </td>
      <td className="number wide-only">{use.diskCount === 0 ? '–' : formatBytes(use.disks)}</td>
      <td className="number wide-only">
        {use.snapshotCount === 0 ? '–' : `${formatBytes(use.snapshots)} in ${use.snapshotCount}`}
      </td>
      <td className="number">{formatBytes(use.disks + use.snapshots)}</td>
      <td />
    </tr>
  );
}

function LooseDisk({ disk, onChange }: { disk: DiskListing; onChange: () => void }) {
  const name = `disk-${disk.id.slice(0, 8)}`;
  const remove = () =>
    void fleet.tasks.run(`Delete the disk ${name}`, {}, async (task) => {
      await (await fleet.storage.api()).removeDisk(disk.id);
      task.says('It is removed.');
      onChange();
    });
  return (
    <tr>
      <td className="grow">
        <span className="with-icon">
          <Icon name="disk" />
          <span className="ellipsis">
            {name} <span className="muted">of {formatBytes(disk.size)}</span>
          </span>
        </span>
      </td>
      <td className="number">{formatBytes(disk.stored)}</td>
      <td className="actions">
        <IconButton
          icon="plus"
          label={`New VM with ${name}…`}
          onPress={() => setUi({ dialog: { kind: 'new', disk: disk.id } })}
        />
        <IconButton
          icon="download"
          label={`Export ${name}`}
          onPress={() => void exportDisk(disk.id, name)}
        />
        <IconButton icon="trash" label={`Delete ${name}`} danger onPress={remove} />
      </td>
    </tr>
  );
}

function LooseSnapshot({ record }: { record: SnapshotRecord }) {
  return (
    <tr>
      <td className="grow">
        <span className="with-icon">
          <Icon name="branch" />
          <span className="ellipsis">
            {record.name} <span className="muted">of a VM that was deleted</span>
          </span>
        </span>
      </td>
      <td className="number">{formatBytes(record.bytes)}</td>
      <td className="actions">
        <IconButton
          icon="plus"
          label={`Clone from ${record.name}…`}
          onPress={() => setUi({ dialog: { kind: 'clone', from: record.id } })}
        />
        <IconButton
          icon="trash"
          label={`Delete ${record.name}`}
          danger
          onPress={() => void removeSnapshots([record], `Delete the snapshot “${record.name}”`)}
        />
      </td>
    </tr>
  );
}
