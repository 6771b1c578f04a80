/** The open consoles: a tab for each, the shown one's actions and state, and its terminal. */
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Tab, TabList, Tabs } from 'react-aria-components/Tabs';
import { formatMemorySize } from '../../hypervisor/memory-size.ts';
import { isLive, isPending, type VmView } from '../../hypervisor/vm.ts';
import type { Figures } from '../../worker/protocol.ts';
import { commandById } from '../commands.ts';
import { formatDuration, formatShare } from '../format.ts';
import {
  closeConsole,
  openConsole,
  showList,
  usePlace,
  useSelectedId,
  vmAddress,
} from '../navigation.ts';
import { CommandButton, IconButton, Keys, Notice, Status } from '../parts/controls.tsx';
import { NARROW, TOUCH, useMedia, useUptime, useVm, useVms } from '../parts/hooks.ts';
import { Icon } from '../parts/icon.tsx';
import { ViewFrame } from '../parts/view-frame.tsx';
import { VmMenu } from '../parts/vm-menu.tsx';
import { terminals } from '../services.ts';
import { useUi } from '../store.ts';
import { VM_VIEWS } from '../view-list.ts';
import { BootSteps } from './boot-steps.tsx';
import { FindBar } from './find-bar.tsx';
import { KeyBar } from './key-bar.tsx';

export function ConsoleArea() {
  const consoles = useUi((state) => state.consoles);
  const vms = useVms();
  const selected = useSelectedId();
  const narrow = useMedia(NARROW);
  const open = consoles.flatMap((id) => vms.find((vm) => vm.id === id) ?? []);
  const shown = open.find((vm) => vm.id === selected);
  if (open.length === 0 || shown === undefined) return <NothingShown narrow={narrow} />;
  return (
    <Tabs
      className="consoles"
      selectedKey={shown.id}
      onSelectionChange={(key) => openConsole(String(key))}
      keyboardActivation="manual"
    >
      <div className="console-tabs">
        {narrow && <IconButton icon="back" label="Back to the list" onPress={showList} />}
        <TabList aria-label="Open consoles" items={open} className="tab-list">
          {(vm) => (
            <Tab id={vm.id} className="tab" data-vm={vm.id} aria-label={`${vm.name}, ${vm.word}`}>
              <span className="status-dot" data-status={vm.status} aria-hidden="true" />
              <span className="tab-name">{vm.name}</span>
              {/* Keyboards close with the command; a button inside a tab is not allowed. */}
              <span
                className="tab-close"
                aria-hidden="true"
                onPointerDown={(event) => event.stopPropagation()}
                onClick={(event) => {
                  event.stopPropagation();
                  closeConsole(vm.id);
                }}
              >
                <Icon name="close" size={12} />
              </span>
            </Tab>
          )}
        </TabList>
      </div>
      <Panel key={shown.id} id={shown.id} />
    </Tabs>
  );
}

/**
 * The panel of the shown tab. The library's own looks for something to focus in it at each change of
 * its elements: with a console in it that is at each line that a guest prints.
 */
function Panel({ id }: { id: string }) {
  const panel = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const tabs = panel.current?.parentElement?.querySelector('.console-tabs');
    const link = () => {
      const tab = tabs?.querySelector('[role="tab"][aria-selected="true"]');
      const controls = tab?.getAttribute('aria-controls');
      if (!panel.current || !tab || !controls) return;
      panel.current.id = controls;
      panel.current.setAttribute('aria-labelledby', tab.id);
    };
    link();
    if (!tabs) return;
    const changes = new MutationObserver(link);
    changes.observe(tabs, {
      subtree: true,
      childList: true,
      attributeFilter: ['id', 'aria-selected', 'aria-controls'],
    });
    return () => changes.disconnect();
  }, []);
  return (
    <div ref={panel} role="tabpanel" className="console">
      <Machine id={id} />
    </div>
  );
}

function NothingShown({ narrow }: { narrow: boolean }) {
  const id = useSelectedId();
  const vm = useVm(id);
  if (vm !== undefined) {
    return (
      <div className="empty">
        <Icon name="terminal" size={28} />
        <p>The console of {vm.name} is closed.</p>
        <Button className="button" onPress={() => openConsole(vm.id)}>
          Open console
        </Button>
      </div>
    );
  }
  return (
    <div className="empty">
      <Icon name="terminal" size={28} />
      <p>
        {id === undefined
          ? 'Choose a machine to open its console.'
          : 'This machine is not there any more.'}
      </p>
      {narrow ? (
        <Button className="button" onPress={showList}>
          Back to the list
        </Button>
      ) : (
        <p className="muted">
          <Keys shortcut="Enter" /> opens the focused one, <Keys shortcut="N" /> makes a new one.
        </p>
      )}
    </div>
  );
}

/** A VM: its head, and the one of its views that the address names. */
function Machine({ id }: { id: string }) {
  const vm = useVm(id);
  const { view } = usePlace();
  const shown = VM_VIEWS.find(({ path }) => path === view);
  if (vm === undefined) return null;
  return (
    <>
      <ConsoleHead vm={vm} />
      {VM_VIEWS.length > 0 && <MachineNav id={id} name={vm.name} shown={shown?.path} />}
      {shown === undefined ? (
        <Console vm={vm} />
      ) : (
        <div className="view-body" data-view={shown.path}>
          <ViewFrame title={shown.title}>
            <shown.Component id={id} />
          </ViewFrame>
        </div>
      )}
    </>
  );
}

function MachineNav(props: { id: string; name: string; shown: string | undefined }) {
  const entries = [{ path: undefined, title: 'Console' }, ...VM_VIEWS];
  return (
    <nav className="vm-nav" aria-label={`Views of ${props.name}`}>
      {entries.map(({ path, title }) => (
        <a
          key={title}
          href={vmAddress(props.id, path)}
          aria-current={path === props.shown ? 'page' : undefined}
        >
          {title}
        </a>
      ))}
    </nav>
  );
}

function Console({ vm }: { vm: VmView }) {
  const finding = useUi((state) => state.finding);
  const touch = useMedia(TOUCH);
  const booting = isPending(vm.status) || vm.status === 'booting';
  return (
    <>
      {booting && <BootSteps vm={vm} />}
      <ConsoleNotice vm={vm} />
      {finding && <FindBar key={vm.id} id={vm.id} />}
      <TerminalPane vm={vm} />
      {touch && isLive(vm.status) && <KeyBar id={vm.id} />}
      <ConsoleFoot vm={vm} />
    </>
  );
}

const ACTIONS = ['start', 'resume', 'pause', 'reset', 'power-off'].map(commandById);
const MENU_GROUPS = ['machine', 'storage', 'console'] as const;

function ConsoleHead({ vm }: { vm: VmView }) {
  return (
    <header className="console-head">
      <div className="console-title">
        <h2>{vm.name}</h2>
        <Status vm={vm} />
        <Facts vm={vm} />
      </div>
      <div className="console-actions" role="toolbar" aria-label={`Actions of ${vm.name}`}>
        {ACTIONS.filter((command) => command.available(vm)).map(({ id }) => (
          <CommandButton key={id} id={id} vm={vm.id} isDisabled={vm.busy} text />
        ))}
        <CommandButton id="delete" vm={vm.id} isDisabled={vm.busy} />
        <CommandButton id="find" vm={vm.id} isDisabled={false} />
        <VmMenu id={vm.id} name={vm.name} groups={MENU_GROUPS} />
      </div>
    </header>
  );
}

/** What changes by the second. */
function Facts({ vm }: { vm: VmView }) {
  const uptime = useUptime(vm);
  return (
    <span className="facts">
      {uptime !== undefined && <span>up {formatDuration(uptime)}</span>}
      {vm.figures !== undefined && isLive(vm.status) && (
        <span title={paceSentence(vm.figures)}>CPU {formatShare(vm.figures.busy)}</span>
      )}
      {vm.memory !== undefined && <span>{formatMemorySize(vm.memory)} RAM</span>}
      {vm.title !== '' && <span className="ellipsis">{vm.title}</span>}
    </span>
  );
}

/** What the processor's share is made of. */
function paceSentence({ mips, wakeups }: Figures): string {
  return `${mips.toFixed(1)} million instructions and ${Math.round(wakeups)} wake-ups a second`;
}

function ConsoleNotice({ vm }: { vm: VmView }) {
  const start = commandById('start');
  const again = (label: string) => (
    <Button className="button" onPress={() => start.run(vm)}>
      {label}
    </Button>
  );
  if (vm.status === 'failed') {
    return (
      <Notice tone="error" action={again('Try again')}>
        {vm.reason}
      </Notice>
    );
  }
  if (vm.status === 'crashed') {
    return (
      <Notice tone="error" action={again('Start again')}>
        {vm.reason}
      </Notice>
    );
  }
  if (vm.status === 'off') {
    return (
      <Notice tone="info" action={again('Start')}>
        {vm.reason ?? 'This machine is off.'}
      </Notice>
    );
  }
  if (vm.silent) {
    const off = commandById('power-off');
    return (
      <Notice
        tone="warning"
        action={
          <Button className="button" onPress={() => off.run(vm)}>
            Power off
          </Button>
        }
      >
        {vm.name} has not answered for some seconds: this device may be busy, the machine stuck, or
        its worker may be gone, as when memory runs out. Powered off, it can be started again.
      </Notice>
    );
  }
  if (vm.status === 'paused') {
    const resume = commandById('resume');
    return (
      <Notice
        tone="info"
        action={
          <Button className="button" onPress={() => resume.run(vm)}>
            Resume
          </Button>
        }
      >
        {vm.reason ?? 'Paused: the guest’s processor stands still and keys wait for it.'}
      </Notice>
    );
  }
  return vm.reason === undefined ? null : <Notice tone="warning">{vm.reason}</Notice>;
}

function TerminalPane({ vm }: { vm: VmView }) {
  const pane = useRef<HTMLDivElement>(null);
  const [failure, setFailure] = useState<string>();
  const [attempt, setAttempt] = useState(0);
  const { id } = vm;
  const live = isLive(vm.status);
  const liveNow = useRef(live);
  liveNow.current = live;

  // The console of a machine that has just come up gets the keyboard, unless it is in use elsewhere.
  useEffect(() => {
    if (!live || matchMedia(TOUCH).matches) return;
    void terminals.get(id).then((terminal) => {
      if (liveNow.current && focusIsFree()) terminal.focus();
    });
  }, [live, id]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `attempt` runs it again after a failure
  useEffect(() => {
    let hide: (() => void) | undefined;
    let gone = false;
    setFailure(undefined);
    terminals.get(id).then(
      (terminal) => {
        if (gone || pane.current === null) return;
        hide = terminal.show(pane.current);
        // A keyboard that flashes up on touch screens hides half the page; a dead console needs none.
        const touch = matchMedia(TOUCH).matches;
        if (liveNow.current && !touch && opener(document.activeElement)) terminal.focus();
      },
      () => setFailure('The terminal could not be downloaded: the network or the server is away.'),
    );
    return () => {
      gone = true;
      hide?.();
    };
  }, [id, attempt]);

  return (
    <div className="terminal-pane" ref={pane} data-live={live || undefined}>
      {failure !== undefined && (
        <Notice
          tone="error"
          action={
            <Button className="button" onPress={() => setAttempt(attempt + 1)}>
              Try again
            </Button>
          }
        >
          {failure}
        </Notice>
      )}
    </div>
  );
}

/** A row or tab that was just used to open this console hands the focus on; a dialog does not. */
function opener(active: Element | null): boolean {
  return focusIsFree() || active?.closest('.machine-list') != null;
}

/** Nothing has the focus, or what has it only led here. */
function focusIsFree(): boolean {
  const active = document.activeElement;
  return active === null || active === document.body || active.matches('[data-leads-to-console]');
}

function ConsoleFoot({ vm }: { vm: VmView }) {
  const live = isLive(vm.status);
  return (
    <footer className="console-foot">
      <span className="key-hint">
        <Keys shortcut="F6" /> leaves the console
      </span>
      <span className="wide key-hint">
        <Keys shortcut="Ctrl+Shift+P" /> commands
      </span>
      <span className="spacer" />
      {live && vm.bootSeconds !== undefined && (
        <span className="wide">shell after {vm.bootSeconds.toFixed(1)} s</span>
      )}
      {live && vm.isolation === 'frame' && (
        <span className="isolation">
          <Icon name="shield" size={14} /> Isolated
        </span>
      )}
      {live && vm.isolation === 'worker' && (
        <span className="isolation weak">
          <Icon name="warning" size={14} /> Less isolated: this browser does not start workers in a
          frame of their own
        </span>
      )}
    </footer>
  );
}
