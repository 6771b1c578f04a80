/** Makes VMs: template, name, memory by slider or typed, disks, where they start, and how many. */
import { useEffect, useState } from 'react';
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
import { Radio, RadioGroup } from 'react-aria-components/RadioGroup';
import { Slider, SliderThumb, SliderTrack } from 'react-aria-components/Slider';
import { Text } from 'react-aria-components/Text';
import { TextField } from 'react-aria-components/TextField';
import { useStore } from 'zustand';
import { BOOT_COUNT_MAXIMUM, NAME_LIMIT } from '../../hypervisor/boot-request.ts';
import {
  formatMemorySize,
  MEMORY_MAXIMUM,
  MIB,
  parseMemorySize,
} from '../../hypervisor/memory-size.ts';
import type { Manifest, Template } from '../../machine/manifest.ts';
import { createVms } from '../boot.ts';
import { type DiskChoice, diskProblem, diskRequest } from '../disk-choice.ts';
import { formatBytes } from '../format.ts';
import { TOUCH } from '../parts/hooks.ts';
import { Icon } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import { useRoom } from '../storage/hooks.ts';
import { closeDialog, setUi } from '../store.ts';
import { DiskField } from './disk-field.tsx';

/** Stops of the slider: what machines are sold with; any other size can be typed. */
const STOPS = [96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048].map((size) => size * MIB);

interface NewVmProps {
  templates: readonly Template[];
  preset: string | undefined;
  /** Id of a disk in storage that the VM gets. */
  disk: string | undefined;
}

export default function NewVmDialog(props: NewVmProps) {
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={closeDialog} className="overlay">
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">New VM</Heading>
          <NewVmForm {...props} />
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function NewVmForm(props: NewVmProps) {
  const { templates } = props;
  const [templateName, setTemplate] = useState(props.preset ?? templates[0]?.name ?? '');
  const [name, setName] = useState('');
  const [memoryText, setMemoryText] = useState<string>();
  const [disk, setDisk] = useState<DiskChoice>({
    kind: props.disk === undefined ? 'none' : 'existing',
    sizeText: '1 GB',
  });
  const [root, setRoot] = useState<'scratch' | 'persistent'>('scratch');
  const [cold, setCold] = useState(false);
  const { room } = useRoom();
  const storage = useStore(fleet.snapshots, (state) => state.storage);
  const snapshots = useStore(fleet.snapshots, (state) => state.list.length);
  const unavailable = storage.kind === 'unavailable' ? storage.message : undefined;
  const [count, setCount] = useState(1);
  const template = templates.find((candidate) => candidate.name === templateName);
  const manifest = useManifest(template);

  const fallback = manifest?.memory.default ?? 128 * MIB;
  const minimum = manifest?.memory.minimum ?? 96 * MIB;
  const text = memoryText ?? formatMemorySize(fallback);
  const memory = parseMemorySize(text);
  const problem = memoryProblem(memory, minimum);
  const diskTrouble = diskProblem(disk);
  const stops = STOPS.filter((stop) => stop >= minimum);
  const nearest = stops.reduce(
    (best, stop, index) =>
      Math.abs(stop - (memory ?? fallback)) < Math.abs((stops[best] ?? 0) - (memory ?? fallback))
        ? index
        : best,
    0,
  );
  const total = (memory ?? 0) * count;

  return (
    <Form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (template === undefined || problem !== undefined || memory === undefined) return;
        if (diskTrouble !== undefined) return;
        closeDialog();
        createVms({
          template,
          name: name.trim() === '' ? undefined : name,
          memory: memoryText === undefined && manifest === undefined ? undefined : memory,
          ...diskRequest(disk, props.disk, unavailable !== undefined),
          ...(template.disk === true ? { root } : {}),
          ...(cold ? { cold } : {}),
          count: disk.kind === 'existing' ? 1 : count,
        });
      }}
    >
      <RadioGroup className="field" value={templateName} onChange={setTemplate}>
        <Label>Template</Label>
        <div className="template-choices">
          {templates.map((candidate) => (
            <Radio key={candidate.name} value={candidate.name} className="template-choice">
              <span className="template-title">{candidate.title}</span>
              <span className="muted">{candidate.description}</span>
            </Radio>
          ))}
        </div>
        {manifest !== undefined && (
          <Text slot="description" className="hint">
            {formatBytes(downloadSize(manifest))} to download, kept for the next time.
          </Text>
        )}
        {snapshots > 0 && (
          <Button
            className="link-text"
            onPress={() => setUi({ dialog: { kind: 'clone', from: '' } })}
          >
            Start from one of your snapshots instead…
          </Button>
        )}
      </RadioGroup>

      <TextField
        className="field"
        value={name}
        onChange={setName}
        maxLength={NAME_LIMIT}
        // Not on touch screens, where the keyboard would cover half the dialog.
        autoFocus={!matchMedia(TOUCH).matches}
      >
        <Label>Name</Label>
        <Input
          className="input"
          placeholder={template === undefined ? '' : fleet.freeName('', template, count > 1)}
          autoComplete="off"
          spellCheck={false}
        />
      </TextField>

      <div className="field">
        <div className="memory-row">
          <Slider
            className="slider"
            minValue={0}
            maxValue={stops.length - 1}
            value={nearest}
            onChange={(index) => setMemoryText(formatMemorySize(stops[index] ?? fallback))}
          >
            <Label>Memory</Label>
            <SliderTrack className="slider-track">
              {({ state }) => (
                <>
                  <span
                    className="slider-fill"
                    style={{ inlineSize: `${state.getThumbPercent(0) * 100}%` }}
                  />
                  <SliderThumb
                    className="slider-thumb"
                    aria-valuetext={formatMemorySize(stops[nearest] ?? fallback)}
                  />
                </>
              )}
            </SliderTrack>
          </Slider>
          <TextField
            aria-label="Memory, typed"
            className="memory-text"
            value={text}
            onChange={setMemoryText}
            isInvalid={problem !== undefined}
          >
            <Input className="input" inputMode="text" autoComplete="off" spellCheck={false} />
            <FieldError className="field-error">{problem}</FieldError>
          </TextField>
        </div>
        <span className="hint">
          Each VM takes its memory from this browser, at least {formatMemorySize(minimum)}.
        </span>
      </div>

      {template?.disk === true && (
        <RadioGroup
          className="field"
          value={root}
          onChange={(kind) => setRoot(kind === 'persistent' ? 'persistent' : 'scratch')}
        >
          <Label>Root disk</Label>
          <div className="choice-row">
            <Radio value="scratch" className="template-choice">
              <span className="template-title">Scratch</span>
              <span className="muted">Fresh at each start.</span>
            </Radio>
            <Radio
              value="persistent"
              className="template-choice"
              isDisabled={unavailable !== undefined}
            >
              <span className="template-title">Persistent</span>
              <span className="muted">Keeps what you install.</span>
            </Radio>
          </div>
        </RadioGroup>
      )}

      <DiskField
        further={template?.disk === true}
        choice={disk}
        onChange={setDisk}
        existing={props.disk !== undefined}
        count={count}
        room={room}
        unavailable={unavailable}
      />

      {manifest?.snapshot !== undefined && (
        <div className="field">
          <Checkbox className="tick" isSelected={cold} onChange={setCold}>
            <span className="tick-box" aria-hidden="true">
              <Icon name="check" size={12} />
            </span>
            Boot the kernel (cold)
          </Checkbox>
          <span className="hint">
            {startSentence(manifest, memory, cold, disk.kind !== 'none')}
          </span>
        </div>
      )}

      <NumberField
        className="field"
        value={count}
        onChange={(value) => setCount(Number.isNaN(value) ? 1 : value)}
        minValue={1}
        maxValue={BOOT_COUNT_MAXIMUM}
      >
        <Label>How many</Label>
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

      <footer className="dialog-actions">
        <span className="muted summary" role="status">
          {count > 1 && problem === undefined ? `${formatMemorySize(total)} in all` : ''}
        </span>
        <Button className="button" onPress={closeDialog}>
          Cancel
        </Button>
        <Button
          type="submit"
          className="button primary"
          isDisabled={template === undefined || problem !== undefined || diskTrouble !== undefined}
        >
          {count > 1 ? `Create ${count} VMs` : 'Create VM'}
        </Button>
      </footer>
    </Form>
  );
}

function memoryProblem(memory: number | undefined, minimum: number): string | undefined {
  if (memory === undefined) return 'Write a size such as 256 MB or 1 GB.';
  if (memory < minimum) return `At least ${formatMemorySize(minimum)}.`;
  return memory > MEMORY_MAXIMUM ? `At most ${formatMemorySize(MEMORY_MAXIMUM)}.` : undefined;
}

/** Where the VM will start, and why. */
function startSentence(
  manifest: Manifest,
  memory: number | undefined,
  cold: boolean,
  furtherDisk: boolean,
): string {
  if (cold) return 'The whole boot is shown, from the kernel’s first line on.';
  if (furtherDisk) return 'With a disk of its own it boots the kernel in any case.';
  if (manifest.snapshot !== undefined && manifest.snapshot.memory !== memory) {
    return `It goes on from the template’s prompt only with ${formatMemorySize(manifest.snapshot.memory)}: with another size the kernel boots.`;
  }
  return 'It goes on from the template’s prompt, within a moment.';
}

function downloadSize({ kernel, initrd }: Manifest): number {
  return (kernel.gz ?? kernel).size + (initrd === undefined ? 0 : (initrd.gz ?? initrd).size);
}

/** Undefined until it has been read; without it the defaults of the dialog serve. */
function useManifest(template: Template | undefined): Manifest | undefined {
  const [manifest, setManifest] = useState<Manifest>();
  useEffect(() => {
    let gone = false;
    setManifest(undefined);
    if (template === undefined) return;
    fleet.images.manifest(template).then(
      (loaded) => {
        if (!gone) setManifest(loaded);
      },
      () => {},
    );
    return () => {
      gone = true;
    };
  }, [template]);
  return manifest;
}
