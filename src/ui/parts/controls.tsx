/** Buttons, key caps and the small marks that several views share. */
import { memo, type ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import { Tooltip, TooltipTrigger } from 'react-aria-components/Tooltip';
import type { VmView } from '../../hypervisor/vm.ts';
import { commandById } from '../commands.ts';
import { statusWord } from '../format.ts';
import { fleet } from '../services.ts';
import { Icon, type IconName } from './icon.tsx';

export function IconButton(props: {
  icon: IconName;
  label: string;
  shortcut?: string | undefined;
  danger?: boolean | undefined;
  isDisabled?: boolean | undefined;
  /** Shown beside the icon where there is room. */
  text?: string | undefined;
  onPress: () => void;
}) {
  return (
    <TooltipTrigger delay={500} closeDelay={0}>
      <Button
        className={`icon-button${props.danger ? ' danger' : ''}`}
        aria-label={props.label}
        isDisabled={props.isDisabled ?? false}
        onPress={props.onPress}
      >
        <Icon name={props.icon} />
        {props.text !== undefined && <span className="icon-button-text">{props.text}</span>}
      </Button>
      <Tooltip className="tooltip" offset={6}>
        {props.label}
        {props.shortcut !== undefined && <Keys shortcut={props.shortcut} />}
      </Tooltip>
    </TooltipTrigger>
  );
}

/** Rendered again only when the command or the VM is another one: not for every figure. */
export const CommandButton = memo(function CommandButton(props: {
  id: string;
  vm: string;
  isDisabled: boolean;
  text?: boolean;
}) {
  const command = commandById(props.id);
  return (
    <IconButton
      icon={command.icon}
      label={command.title}
      shortcut={command.shortcut}
      danger={command.danger}
      isDisabled={props.isDisabled}
      text={props.text ? command.title : undefined}
      onPress={() => command.run(fleet.get(props.vm)?.view)}
    />
  );
});

export function Keys({ shortcut }: { shortcut: string }) {
  return (
    <span className="keys">
      {shortcut.split('+').map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </span>
  );
}

/** State as a mark and a word: never by colour alone. */
export function Status({ vm }: { vm: VmView }) {
  return (
    <span className="status" data-status={vm.silent ? 'silent' : vm.status}>
      <span className="status-dot" aria-hidden="true" />
      {statusWord(vm)}
    </span>
  );
}

export function Notice(props: {
  tone: 'info' | 'warning' | 'error';
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div
      className="notice"
      data-tone={props.tone}
      role={props.tone === 'error' ? 'alert' : 'status'}
    >
      <Icon name={props.tone === 'info' ? 'info' : 'warning'} />
      <p>{props.children}</p>
      {props.action}
    </div>
  );
}

/** Processor share of the last minute. The figure beside it says the same to screen readers. */
export function Sparkline({ values }: { values: readonly number[] }) {
  const width = 56;
  const height = 18;
  const step = width / 59;
  const points = values.map((value, index) => {
    const x = width - (values.length - 1 - index) * step;
    // Half pixels: an idle VM's line stays the same, and nothing is drawn again for it.
    const y = Math.round(2 * (height - 1 - value * (height - 2))) / 2;
    return `${x.toFixed(1)},${y}`;
  });
  const first = points[0];
  return (
    <svg className="sparkline" width={width} height={height} aria-hidden="true">
      {first !== undefined && points.length > 1 && (
        <>
          <polygon
            points={`${first.split(',')[0]},${height} ${points.join(' ')} ${width},${height}`}
          />
          <polyline points={points.join(' ')} />
        </>
      )}
    </svg>
  );
}
