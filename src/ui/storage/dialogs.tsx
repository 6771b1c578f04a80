/** The dialogs of storage: take, restore, clone, describe and delete snapshots, and backups. */
import { type ReactNode, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Checkbox } from 'react-aria-components/Checkbox';
import { Dialog } from 'react-aria-components/Dialog';
import { FieldError } from 'react-aria-components/FieldError';
import { Form } from 'react-aria-components/Form';
import { Group } from 'react-aria-components/Group';
import { Heading } from 'react-aria-components/Heading';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { Modal, ModalOverlay } from 'react-aria-components/Modal';
import { NumberField } from 'react-aria-components/NumberField';
import { TextArea } from 'react-aria-components/TextArea';
import { TextField } from 'react-aria-components/TextField';
import { useStore } from 'zustand';
import { isLive, type VmView } from '../../hypervisor/vm.ts';
import type { SnapshotRecord } from '../../storage/snapshots/record.ts';
import { formatBytes, formatWhen } from '../format.ts';
import { useVm } from '../parts/hooks.ts';
import { Icon } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import { closeDialog, type StorageDialog } from '../store.ts';
import {
  cloneVms,
  removeSnapshots,
  renameSnapshot,
  restoreSnapshot,
  takeSnapshot,
} from './actions.ts';
import { childrenOf } from './snapshot-tree.ts';

const NAME_MAXIMUM = 100;
const NOTE_MAXIMUM = 2000;
const CLONES_MAXIMUM = 12;

export default function StorageDialogs({ dialog }: { dialog: StorageDialog }) {
  const list = useStore(fleet.snapshots, (state) => state.list);
  const vm = useVm('vm' in dialog ? dialog.vm : 'from' in dialog ? dialog.from : undefined);
  const wanted = 'snapshot' in dialog ? dialog.snapshot : 'from' in dialog ? dialog.from : '';
  const record = list.find(({ id }) => id === wanted);
  switch (dialog.kind) {
    case 'snapshot':
      return vm && <TakeSnapshot vm={vm} list={list} />;
    case 'restore':
      return vm && record && <Restore vm={vm} record={record} />;
    case 'clone':
      return <Clone vm={vm} preset={record} list={list} />;
    case 'editSnapshot':
      return record && <EditSnapshot record={record} />;
    case 'removeSnapshot':
      return record && <RemoveSnapshot record={record} list={list} />;
    case 'backups':
      return vm && <Backups vm={vm} />;
  }
}

function FormDialog(props: {
  title: string;
  verb: string;
  alert?: boolean;
  destructive?: boolean;
  isDisabled?: boolean;
  /** What else can be done, before Cancel. */
  more?: ReactNode;
  onSubmit: () => void;
  children: ReactNode;
}) {
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={closeDialog} className="overlay">
      <Modal className="modal">
        <Dialog role={props.alert ? 'alertdialog' : 'dialog'} className="dialog">
          <Heading slot="title">{props.title}</Heading>
          <Form
            className="form"
            onSubmit={(event) => {
              event.preventDefault();
              if (props.isDisabled) return;
              closeDialog();
              props.onSubmit();
            }}
          >
            {props.children}
            <footer className="dialog-actions">
              <span className="summary">{props.more}</span>
              <Button className="button" onPress={closeDialog}>
                Cancel
              </Button>
              <Button
                type="submit"
                autoFocus={props.alert ?? false}
                className={`button ${props.destructive ? 'destructive' : 'primary'}`}
                isDisabled={props.isDisabled ?? false}
              >
                {props.verb}
              </Button>
            </footer>
          </Form>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function NameAndNote(props: {
  name: string;
  note: string;
  onName: (name: string) => void;
  onNote: (note: string) => void;
}) {
  const blank = props.name.trim() === '';
  return (
    <>
      <TextField
        className="field"
        value={props.name}
        onChange={props.onName}
        maxLength={NAME_MAXIMUM}
        isInvalid={blank}
        autoFocus
      >
        <Label>Name</Label>
        <Input
          className="input"
          autoComplete="off"
          spellCheck={false}
          onFocus={(event) => event.currentTarget.select()}
        />
        <FieldError className="field-error">Give it a name to find it again.</FieldError>
      </TextField>
      <TextField
        className="field"
        value={props.note}
        onChange={props.onNote}
        maxLength={NOTE_MAXIMUM}
      >
        <Label>Note</Label>
        <TextArea className="input" rows={3} placeholder="What it is good for, if you like" />
      </TextField>
    </>
  );
}

function TakeSnapshot({ vm, list }: { vm: VmView; list: readonly SnapshotRecord[] }) {
  const count = list.filter((record) => record.vm === vm.keptId && record.kind === 'manual').length;
  const [name, setName] = useState(`Snapshot ${count + 1}`);
  const [note, setNote] = useState('');
  return (
    <FormDialog
      title={`Take a snapshot of ${vm.name}`}
      verb="Take the snapshot"
      isDisabled={name.trim() === ''}
      onSubmit={() => {
        const machine = fleet.get(vm.id);
        if (machine) void takeSnapshot(machine, name.trim(), note.trim());
      }}
    >
      <NameAndNote name={name} note={note} onName={setName} onNote={setNote} />
      <p className="hint">
        It holds memory, processor, devices and disks. The guest goes on meanwhile: it stands still
        for some milliseconds, and what changes later is not in it.
      </p>
    </FormDialog>
  );
}

function Restore({ vm, record }: { vm: VmView; record: SnapshotRecord }) {
  const live = isLive(vm.status);
  const [first, setFirst] = useState(true);
  return (
    <FormDialog
      alert
      title={`Restore “${record.name}”?`}
      verb={live ? 'Restore' : 'Restore and run'}
      destructive={live && !first}
      onSubmit={() => {
        const machine = fleet.get(vm.id);
        if (machine) void restoreSnapshot(machine, record, live && first);
      }}
    >
      <p>
        {vm.name} becomes what it was on {new Date(record.time).toLocaleString()}: memory, processor
        and disks.
        {live && !first && ' What it did since then is lost.'}
      </p>
      {live && (
        <Tick isSelected={first} onChange={setFirst}>
          Take a snapshot first, so that nothing is lost
        </Tick>
      )}
    </FormDialog>
  );
}

function Clone(props: {
  vm: VmView | undefined;
  preset: SnapshotRecord | undefined;
  list: readonly SnapshotRecord[];
}) {
  const { vm, list } = props;
  const [chosen, setChosen] = useState(props.preset?.id ?? list.at(-1)?.id);
  const record = vm === undefined ? list.find(({ id }) => id === chosen) : undefined;
  const owner = fleet.all.find(({ view }) => view.keptId === record?.vm)?.view.name;
  const of = vm?.name ?? owner ?? record?.name ?? '';
  const [ownName, setName] = useState<string>();
  const name = ownName ?? `${of.slice(0, 40)}-clone`;
  const [count, setCount] = useState(1);
  const [start, setStart] = useState(true);
  const title = record === undefined ? `Clone ${of}` : `Clone from “${record.name}”`;
  const names = Array.from({ length: count }, (_, i) => (count > 1 ? `${name}-${i + 1}` : name));
  return (
    <FormDialog
      title={title}
      verb={count > 1 ? `Make ${count} clones` : 'Make the clone'}
      isDisabled={name.trim() === '' || (vm === undefined && record === undefined)}
      onSubmit={() => void cloneVms(vm?.id ?? record?.id ?? '', title, names, start)}
    >
      {vm === undefined && props.preset === undefined && (
        <label className="field">
          <span>Snapshot</span>
          <select
            className="input"
            value={chosen}
            onChange={(event) => setChosen(event.currentTarget.value)}
          >
            {list.toReversed().map(({ id, name, time }) => (
              <option key={id} value={id}>
                {name}, {formatWhen(time)}
              </option>
            ))}
          </select>
        </label>
      )}
      <TextField className="field" value={name} onChange={setName} maxLength={50} autoFocus>
        <Label>{count > 1 ? 'Names begin with' : 'Name'}</Label>
        <Input className="input" autoComplete="off" spellCheck={false} />
      </TextField>
      <Stepper label="How many" value={count} onChange={setCount} maximum={CLONES_MAXIMUM} />
      <Tick isSelected={start} onChange={setStart}>
        Start at once
      </Tick>
      <p className="hint">
        A clone goes on from there and shares in storage what is equal. It gets a machine id, a host
        name and random numbers of its own.
      </p>
    </FormDialog>
  );
}

function EditSnapshot({ record }: { record: SnapshotRecord }) {
  const [name, setName] = useState(record.name);
  const [note, setNote] = useState(record.note);
  return (
    <FormDialog
      title="Name and note"
      verb="Save"
      isDisabled={name.trim() === ''}
      onSubmit={() => void renameSnapshot(record, name.trim(), note.trim())}
    >
      <NameAndNote name={name} note={note} onName={setName} onNote={setNote} />
    </FormDialog>
  );
}

function RemoveSnapshot({
  record,
  list,
}: {
  record: SnapshotRecord;
  list: readonly SnapshotRecord[];
}) {
  const children = childrenOf(list, record.id);
  const standing = fleet.all.filter(({ view }) => view.current === record.id);
  return (
    <FormDialog
      alert
      destructive
      title={`Delete the snapshot “${record.name}”?`}
      verb="Delete it"
      onSubmit={() => void removeSnapshots([record], `Delete the snapshot “${record.name}”`)}
    >
      <p>
        Nobody can go back to {new Date(record.time).toLocaleString()} then. It gives about{' '}
        {formatBytes(record.bytes)} back, less what others still use.
      </p>
      {(children.length > 0 || standing.length > 0) && (
        <ul className="consequences">
          {children.length > 0 && (
            <li>
              {children.length === 1
                ? `“${children[0]?.name}” goes on from it. It stays whole, and goes on from what came before.`
                : `${children.length} snapshots go on from it. They stay whole, and go on from what came before.`}
            </li>
          )}
          {standing.map(({ view }) => (
            <li key={view.id}>{view.name} stands on it, and is not changed.</li>
          ))}
        </ul>
      )}
    </FormDialog>
  );
}

function Backups({ vm }: { vm: VmView }) {
  const [minutes, setMinutes] = useState(vm.backups?.everyMinutes ?? 10);
  const [keep, setKeep] = useState(vm.backups?.keep ?? 5);
  const set = (policy: { everyMinutes: number; keep: number } | undefined) =>
    void fleet.tasks.run(`Backups of ${vm.name}`, { vm: vm.id }, async (task) => {
      await fleet.setBackups(vm.id, policy);
      task.says(policy === undefined ? 'There are no more of them.' : 'They are scheduled.');
    });
  return (
    <FormDialog
      title={`Backups of ${vm.name}`}
      verb={vm.backups === undefined ? 'Schedule them' : 'Save'}
      more={
        vm.backups !== undefined && (
          <Button
            className="button"
            onPress={() => {
              closeDialog();
              set(undefined);
            }}
          >
            No more backups
          </Button>
        )
      }
      onSubmit={() => set({ everyMinutes: minutes, keep })}
    >
      <Stepper
        label="Every so many minutes"
        value={minutes}
        onChange={setMinutes}
        maximum={7 * 24 * 60}
      />
      <Stepper label="Keep the newest" value={keep} onChange={setKeep} maximum={100} />
      <p className="hint">
        While it runs and this page is open, a snapshot is taken at these times; older backups are
        removed. Only what has changed takes room.
      </p>
    </FormDialog>
  );
}

function Stepper(props: {
  label: string;
  value: number;
  onChange: (value: number) => void;
  maximum: number;
}) {
  return (
    <NumberField
      className="field"
      value={props.value}
      onChange={(value) => props.onChange(Number.isNaN(value) ? 1 : value)}
      minValue={1}
      maxValue={props.maximum}
    >
      <Label>{props.label}</Label>
      <Group className="stepper">
        <Button slot="decrement" className="stepper-button">
          −
        </Button>
        <Input className="input" />
        <Button slot="increment" className="stepper-button">
          <Icon name="plus" />
        </Button>
      </Group>
    </NumberField>
  );
}

function Tick(props: {
  isSelected: boolean;
  onChange: (on: boolean) => void;
  children: ReactNode;
}) {
  return (
    <Checkbox className="tick" isSelected={props.isSelected} onChange={props.onChange}>
      <span className="tick-box" aria-hidden="true">
        <Icon name="check" size={12} />
      </span>
      {props.children}
    </Checkbox>
  );
}
