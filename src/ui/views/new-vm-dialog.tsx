/** Makes VMs: template, name, memory by slider or typed, a scratch disk, and how many. */
import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
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
import { BOOT_COUNT_MAXIMUM, DISK_MAXIMUM, NAME_LIMIT } from '../../hypervisor/boot-request.ts';
import {
  formatMemorySize,
  MEMORY_MAXIMUM,
  MIB,
  parseMemorySize,
} from '../../hypervisor/memory-size.ts';
import type { Manifest, Template } from '../../machine/manifest.ts';
import { createVms } from '../boot.ts';
import { formatBytes } from '../format.ts';
import { TOUCH } from '../parts/hooks.ts';
import { Icon } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import { closeDialog } from '../store.ts';

/** Stops of the slider: what machines are sold with; any other size can be typed. */
const STOPS = [96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048].map((size) => size * MIB);

export default function NewVmDialog(props: {
  templates: readonly Template[];
  preset: string | undefined;
}) {
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

function NewVmForm(props: { templates: readonly Template[]; preset: string | undefined }) {
  const { templates } = props;
  const [templateName, setTemplate] = useState(props.preset ?? templates[0]?.name ?? '');
  const [name, setName] = useState('');
  const [memoryText, setMemoryText] = useState<string>();
  const [diskText, setDiskText] = useState('');
  const [count, setCount] = useState(1);
  const template = templates.find((candidate) => candidate.name === templateName);
  const manifest = useManifest(template);

  const fallback = manifest?.memory.default ?? 128 * MIB;
  const minimum = manifest?.memory.minimum ?? 96 * MIB;
  const text = memoryText ?? formatMemorySize(fallback);
  const memory = parseMemorySize(text);
  const problem = memoryProblem(memory, minimum);
  const disk = diskText.trim() === '' ? undefined : parseMemorySize(diskText);
  const diskTrouble = diskProblem(diskText, disk);
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
          disk,
          count,
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

      <TextField
        className="field"
        value={diskText}
        onChange={setDiskText}
        isInvalid={diskTrouble !== undefined}
      >
        <Label>Scratch disk</Label>
        <Input
          className="input"
          placeholder="None"
          inputMode="text"
          autoComplete="off"
          spellCheck={false}
        />
        <FieldError className="field-error">{diskTrouble}</FieldError>
        <Text slot="description" className="hint">
          A blank disk such as 64 MB, in this browser’s memory: gone when the VM is off.
        </Text>
      </TextField>

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

/** Blank text: no disk. */
function diskProblem(text: string, disk: number | undefined): string | undefined {
  if (text.trim() === '') return undefined;
  if (disk === undefined) return 'Write a size such as 64 MB, or nothing for no disk.';
  return disk > DISK_MAXIMUM ? `At most ${formatMemorySize(DISK_MAXIMUM)}.` : undefined;
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
