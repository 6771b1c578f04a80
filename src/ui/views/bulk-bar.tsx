/** What can be done with the machines that are selected in the list. */
import { useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { Dialog } from 'react-aria-components/Dialog';
import { Form } from 'react-aria-components/Form';
import { Heading } from 'react-aria-components/Heading';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { Modal, ModalOverlay } from 'react-aria-components/Modal';
import { TextField } from 'react-aria-components/TextField';
import { Icon, type IconName } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import { useUi } from '../store.ts';
import { BULK_ACTIONS, type BulkName, runBulk } from './bulk.ts';

const BUTTONS: readonly { name: BulkName; icon: IconName }[] = [
  { name: 'start', icon: 'play' },
  { name: 'pause', icon: 'pause' },
  { name: 'resume', icon: 'play' },
  { name: 'snapshot', icon: 'camera' },
];

export default function BulkBar(props: {
  ids: readonly string[];
  all: number;
  onAll: () => void;
  onEnd: () => void;
}) {
  const busy = useUi((state) => state.bulkBusy);
  const [deleting, setDeleting] = useState(false);
  const { ids } = props;
  const idle = busy || ids.length === 0;
  return (
    <div className="bulk-bar" role="toolbar" aria-label="Actions of the selected machines">
      <Button className="button small" onPress={props.onAll}>
        {ids.length === props.all ? 'None' : `All ${props.all}`}
      </Button>
      {BUTTONS.map(({ name, icon }) => (
        <Button
          key={name}
          className="button small"
          isDisabled={idle}
          onPress={() => void runBulk(name, ids)}
        >
          <Icon name={icon} size={14} /> {BULK_ACTIONS[name].title}
        </Button>
      ))}
      <Button className="button small" isDisabled={idle} onPress={() => setDeleting(true)}>
        <Icon name="trash" size={14} /> Delete…
      </Button>
      <span className="muted" role="status">
        {busy ? 'Under way…' : `${ids.length} selected`}
      </span>
      <Button className="button small" onPress={props.onEnd}>
        Done
      </Button>
      {deleting && <DeleteSeveral ids={ids} onClose={() => setDeleting(false)} />}
    </div>
  );
}

/** What is lost is named, and typed. */
function DeleteSeveral({ ids, onClose }: { ids: readonly string[]; onClose: () => void }) {
  const [typed, setTyped] = useState('');
  const views = ids.flatMap((id) => fleet.get(id)?.view ?? []);
  const wanted = views.length === 1 ? (views[0]?.name ?? '') : `${views.length} machines`;
  const kept = views.some(({ keptId }) => keptId !== undefined);
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={onClose} className="overlay">
      <Modal className="modal">
        <Dialog role="alertdialog" className="dialog">
          <Heading slot="title">Delete {wanted}?</Heading>
          <Form
            className="form"
            onSubmit={(event) => {
              event.preventDefault();
              if (typed.trim() !== wanted) return;
              onClose();
              void runBulk('delete', ids);
            }}
          >
            <p>
              {views.map(({ name }) => name).join(', ')}: everything in their memory is lost
              {kept && ', and their disks and snapshots, but those that other machines need'}.
            </p>
            <TextField className="field" value={typed} onChange={setTyped} autoFocus>
              <Label>
                Type <strong>{wanted}</strong> to confirm
              </Label>
              <Input className="input" autoComplete="off" spellCheck={false} />
            </TextField>
            <footer className="dialog-actions">
              <Button className="button" onPress={onClose}>
                Cancel
              </Button>
              <Button
                type="submit"
                className="button destructive"
                isDisabled={typed.trim() !== wanted}
              >
                Delete
              </Button>
            </footer>
          </Form>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
