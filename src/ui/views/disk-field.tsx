/** Which disk a new VM gets: none, one for as long as it runs, or one that stays; and how much room is left. */
import { FieldError } from 'react-aria-components/FieldError';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { Radio, RadioGroup } from 'react-aria-components/RadioGroup';
import { TextField } from 'react-aria-components/TextField';
import { parseMemorySize } from '../../hypervisor/memory-size.ts';
import { type DiskChoice, diskProblem } from '../disk-choice.ts';
import { formatBytes } from '../format.ts';
import type { Room } from '../storage/hooks.ts';

const KINDS = [
  { kind: 'none', title: 'None', hint: 'What it writes is in its memory.' },
  { kind: 'scratch', title: 'Scratch', hint: 'Gone when it is off.' },
  { kind: 'persistent', title: 'Persistent', hint: 'Survives power-offs and reloads.' },
] as const;

export function DiskField(props: {
  /** The template has a root disk already. */
  further: boolean;
  choice: DiskChoice;
  onChange: (choice: DiskChoice) => void;
  existing: boolean;
  count: number;
  room: Room | undefined;
  /** Why nothing can be kept. */
  unavailable: string | undefined;
}) {
  const { choice, onChange, room, unavailable } = props;
  const problem = diskProblem(choice);
  const sized = choice.kind === 'scratch' || choice.kind === 'persistent';
  const wanted = (parseMemorySize(choice.sizeText) ?? 0) * props.count;
  const left = room === undefined ? undefined : Math.max(0, room.quota - room.used);
  const choices: readonly { kind: DiskChoice['kind']; title: string; hint: string }[] =
    props.existing
      ? [{ kind: 'existing', title: 'The one in storage', hint: 'It becomes this VM’s.' }, ...KINDS]
      : KINDS;
  return (
    <div className="field">
      <RadioGroup
        className="field"
        value={choice.kind}
        onChange={(kind) => {
          const chosen = choices.find((one) => one.kind === kind);
          if (chosen !== undefined) onChange({ ...choice, kind: chosen.kind });
        }}
      >
        <Label>{props.further ? 'Another disk' : 'Disk'}</Label>
        <div className="choice-row">
          {choices.map(({ kind, title, hint }) => (
            <Radio
              key={kind}
              value={kind}
              className="template-choice"
              isDisabled={kind === 'persistent' && unavailable !== undefined}
            >
              <span className="template-title">{title}</span>
              <span className="muted">{hint}</span>
            </Radio>
          ))}
        </div>
      </RadioGroup>
      {sized && (
        <TextField
          className="field size-field"
          value={choice.sizeText}
          onChange={(sizeText) => onChange({ ...choice, sizeText })}
          isInvalid={problem !== undefined}
        >
          <Label>Size of the disk</Label>
          <Input className="input" inputMode="text" autoComplete="off" spellCheck={false} />
          <FieldError className="field-error">{problem}</FieldError>
        </TextField>
      )}
      {unavailable !== undefined && <span className="hint">{unavailable}</span>}
      {sized && left !== undefined && (
        <span className={wanted > left ? 'hint warn' : 'hint'}>
          {wanted > left
            ? `Only ${formatBytes(left)} of storage are left: it can be made, but not filled.`
            : `${formatBytes(left)} of storage are left. A disk takes only what is written to it.`}
        </span>
      )}
    </div>
  );
}
