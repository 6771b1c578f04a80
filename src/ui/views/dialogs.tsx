/** The page's smaller dialogs: confirmation, palette, shortcuts, text for a console. */
import { lazy, useState } from 'react';
import { Autocomplete, useFilter } from 'react-aria-components/Autocomplete';
import { Button } from 'react-aria-components/Button';
import { Dialog } from 'react-aria-components/Dialog';
import { Heading } from 'react-aria-components/Heading';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { Menu, MenuItem } from 'react-aria-components/Menu';
import { Modal, ModalOverlay } from 'react-aria-components/Modal';
import { SearchField } from 'react-aria-components/SearchField';
import { TextArea } from 'react-aria-components/TextArea';
import { TextField } from 'react-aria-components/TextField';
import { isLive, isPending, type VmView } from '../../hypervisor/vm.ts';
import { COMMANDS, perform } from '../commands.ts';
import { openConsole, useSelectedId } from '../navigation.ts';
import { CommandItem } from '../parts/command-item.tsx';
import { Keys } from '../parts/controls.tsx';
import { useVm, useVms } from '../parts/hooks.ts';
import { Icon } from '../parts/icon.tsx';
import { fleet, terminals } from '../services.ts';
import { closeDialog, useUi } from '../store.ts';

/** Fetched when they are first shown. */
const NewVmDialog = lazy(() => import('./new-vm-dialog.tsx'));
const StorageDialogs = lazy(() => import('../storage/dialogs.tsx'));

export default function Dialogs() {
  const dialog = useUi((state) => state.dialog);
  const catalogue = useUi((state) => state.catalogue);
  const vm = useVm(dialog !== undefined && 'vm' in dialog ? dialog.vm : undefined);
  if (dialog === undefined) return null;
  switch (dialog.kind) {
    case 'new':
      return catalogue.kind === 'ready' ? (
        <NewVmDialog templates={catalogue.templates} preset={dialog.template} disk={dialog.disk} />
      ) : null;
    case 'palette':
      return <Palette />;
    case 'shortcuts':
      return <Shortcuts />;
    case 'confirm':
      return vm === undefined ? null : <Confirm vm={vm} action={dialog.action} />;
    case 'replace':
      return (
        <Ask
          title={`Replace ${dialog.names.length} machines?`}
          text={`What these hold is lost once the new ones are ready: ${dialog.names.join(', ')}.`}
          verb="Replace"
          go={dialog.go}
        />
      );
    case 'send':
      return vm === undefined ? null : <SendText vm={vm} />;
    default:
      return <StorageDialogs dialog={dialog} />;
  }
}

const CONFIRMATIONS = {
  reset: {
    title: 'Reset',
    verb: 'Reset',
    text: 'It starts again at once, as after the reset button. Everything in its memory is lost.',
  },
  powerOff: {
    title: 'Power off',
    verb: 'Power off',
    text: 'Its power is cut without asking the guest. Everything in its memory is lost.',
  },
  delete: {
    title: 'Delete',
    verb: 'Delete',
    text: '',
  },
} as const;

function deleteText(vm: VmView): string {
  const running =
    isLive(vm.status) || isPending(vm.status)
      ? 'It is running. Everything in its memory and its console is lost.'
      : 'It is off.';
  return vm.keptId === undefined
    ? running
    : `${running} Its disks and its snapshots are deleted, too, but those that other machines need.`;
}

function Confirm({ vm, action }: { vm: VmView; action: keyof typeof CONFIRMATIONS }) {
  const { title, verb, text } = CONFIRMATIONS[action];
  return (
    <Ask
      title={`${title} ${vm.name}?`}
      text={action === 'delete' ? deleteText(vm) : text}
      verb={verb}
      go={() => perform(vm.id, action)}
    />
  );
}

function Ask(question: { title: string; text: string; verb: string; go: () => void }) {
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={closeDialog} className="overlay">
      <Modal className="modal small">
        <Dialog role="alertdialog" className="dialog">
          <Heading slot="title">{question.title}</Heading>
          <p>{question.text}</p>
          <footer className="dialog-actions">
            <Button className="button" onPress={closeDialog}>
              Cancel
            </Button>
            <Button
              className="button destructive"
              autoFocus
              onPress={() => {
                closeDialog();
                question.go();
              }}
            >
              {question.verb}
            </Button>
          </footer>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function Palette() {
  const { contains } = useFilter({ sensitivity: 'base' });
  const vms = useVms();
  const vm = useVm(useSelectedId());
  const commands = COMMANDS.filter(
    (command) => command.available(vm) && command.id !== 'palette' && command.id !== 'open',
  );
  const choose = (key: string) => {
    closeDialog();
    const id = /^vm:(.*)$/.exec(key)?.[1];
    // After the dialog has given the focus back, so that the command may move it.
    setTimeout(() => {
      if (id !== undefined) openConsole(id);
      else commands.find((command) => command.id === key)?.run(vm);
    });
  };
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={closeDialog} className="overlay top">
      <Modal className="modal palette">
        <Dialog className="dialog" aria-label="Commands">
          <Autocomplete filter={contains}>
            <SearchField
              aria-label="Find a command or machine"
              autoFocus
              className="palette-search"
            >
              <Icon name="search" />
              <Input placeholder="Find a command or machine" />
            </SearchField>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable */}
            <div className="palette-list" tabIndex={0}>
              <Menu
                className="menu"
                aria-label="Commands"
                onAction={(key) => choose(String(key))}
                renderEmptyState={() => <p className="palette-empty">Nothing matches.</p>}
              >
                {vms.map((machine) => (
                  <MenuItem
                    key={machine.id}
                    id={`vm:${machine.id}`}
                    textValue={`Open ${machine.name}`}
                    className="menu-item"
                  >
                    <Icon name="terminal" />
                    <span>Open {machine.name}</span>
                  </MenuItem>
                ))}
                {commands.map((command) => (
                  <CommandItem
                    key={command.id}
                    command={command}
                    of={
                      command.group !== 'page' &&
                      command.group !== 'console' &&
                      vm !== undefined && <span className="muted"> {vm.name}</span>
                    }
                  />
                ))}
              </Menu>
            </div>
          </Autocomplete>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

const EXTRA_SHORTCUTS = [
  { title: 'Copy the selection in a console', shortcut: 'Ctrl+Shift+C' },
  { title: 'Paste into a console', shortcut: 'Ctrl+Shift+V' },
];

function Shortcuts() {
  const groups = [
    { name: 'Page', group: 'page' },
    { name: 'Machine (the focused row or the shown console)', group: 'machine' },
    { name: 'Snapshots of a machine', group: 'storage' },
    { name: 'Console', group: 'console' },
  ] as const;
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={closeDialog} className="overlay">
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">Keyboard shortcuts</Heading>
          <p className="muted">
            In a console every key is the guest’s, except <Keys shortcut="F6" />, which leads out
            and back in, and those with Ctrl+Shift. The Tab key belongs to the guest, too.
          </p>
          {groups.map(({ name, group }) => (
            <section key={group} className="shortcut-group">
              <h3>{name}</h3>
              <dl>
                {[
                  ...COMMANDS.filter((command) => command.group === group),
                  ...(group === 'console' ? EXTRA_SHORTCUTS : []),
                ].map(
                  (command) =>
                    command.shortcut !== undefined && (
                      <div key={command.title}>
                        <dt>{command.title}</dt>
                        <dd>
                          <Keys shortcut={command.shortcut} />
                        </dd>
                      </div>
                    ),
                )}
              </dl>
            </section>
          ))}
          <footer className="dialog-actions">
            <Button className="button primary" onPress={closeDialog}>
              Close
            </Button>
          </footer>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function SendText({ vm }: { vm: VmView }) {
  const [text, setText] = useState('');
  const send = async () => {
    closeDialog();
    const terminal = await terminals.get(vm.id);
    // The terminal knows whether the guest wants pastes bracketed.
    terminal.terminal.paste(text);
    if (!terminal.terminal.modes.bracketedPasteMode && !text.endsWith('\n')) {
      fleet.get(vm.id)?.input(new TextEncoder().encode('\r'));
    }
    terminal.focus();
  };
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={closeDialog} className="overlay">
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">Send text to {vm.name}</Heading>
          <TextField className="field" value={text} onChange={setText} autoFocus>
            <Label>Text, typed into the console as it is and finished with Enter</Label>
            <TextArea className="input send-text" rows={8} spellCheck={false} />
          </TextField>
          <footer className="dialog-actions">
            <Button className="button" onPress={closeDialog}>
              Cancel
            </Button>
            <Button className="button primary" isDisabled={text === ''} onPress={() => void send()}>
              Send
            </Button>
          </footer>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
