/** The page: list on the left, consoles on the right; on narrow screens one at a time. */
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { useStore } from 'zustand';
import { missingFeatures, sharedMemoryAvailable, slowFeatures } from '../hypervisor/features.ts';
import { answerStart } from './admission.ts';
import { usePlace, useSelectedId } from './navigation.ts';
import { Notice } from './parts/controls.tsx';
import { NARROW, useMedia, useVm, useVms } from './parts/hooks.ts';
import { Split } from './parts/split.tsx';
import { ViewFrame } from './parts/view-frame.tsx';
import { fleet } from './services.ts';
import { setUi, useUi } from './store.ts';
import { PAGE_VIEWS } from './view-list.ts';
import { ConsoleArea } from './views/console-area.tsx';
import { MachineList } from './views/machine-list.tsx';
import { TaskDock } from './views/task-dock.tsx';
import { TopBar } from './views/top-bar.tsx';
import { BootProblems, Unsupported, Welcome } from './views/welcome.tsx';

/** Fetched when they are first needed, or the page has nothing else to do. */
const Dialogs = lazy(() => import('./views/dialogs.tsx'));
const Recovery = lazy(() => import('./views/recovery.tsx'));

const MISSING = missingFeatures();
const SLOW = MISSING.length > 0 ? [] : slowFeatures();

export function App() {
  const vms = useVms();
  const problems = useUi((state) => state.bootProblems);
  const { vm, view } = usePlace();
  const page = vm === undefined ? PAGE_VIEWS.find(({ path }) => path === view) : undefined;
  useDocumentTitle();
  if (MISSING.length > 0) return <Unsupported missing={MISSING} />;
  return (
    <div className="page">
      <TopBar />
      <SharedMemoryNotice />
      <SlowerNotice />
      <StartedAgainNotice />
      <Capacity />
      <RecoveryNotice />
      {problems.length > 0 ? (
        <BootProblems problems={problems} />
      ) : page !== undefined ? (
        <main className="pane view-body" aria-label={page.title}>
          <ViewFrame title={page.title}>
            <page.Component />
          </ViewFrame>
        </main>
      ) : vms.length === 0 ? (
        <Welcome />
      ) : (
        <Workspace />
      )}
      <TaskDock />
      <OpenDialog />
      <Announcer />
    </div>
  );
}

const CapacityLayer = lazy(() =>
  // Without it nothing is judged, and everything goes on.
  import('./capacity/layer.tsx').catch(() => ({ default: Unjudged })),
);
/** What watches comes when the first machine is up, or nothing happens: it delays no boot. */
const CAPACITY_DELAY_MS = 10_000;

function Capacity() {
  const asked = useUi(({ startRequests }) => startRequests.length > 0);
  const up = useVms().some(({ status }) => status === 'running');
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), CAPACITY_DELAY_MS);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    if (asked || up) setShown(true);
  }, [asked, up]);
  if (!shown) return null;
  return (
    <Suspense>
      <CapacityLayer />
    </Suspense>
  );
}

function Unjudged(): ReactNode {
  const [request] = useUi((state) => state.startRequests);
  useEffect(() => {
    if (request !== undefined) answerStart(request, true);
  }, [request]);
  return null;
}

function Workspace() {
  const narrow = useMedia(NARROW);
  const selected = useSelectedId();
  if (narrow) {
    return (
      <main className="pane">{selected === undefined ? <MachineList /> : <ConsoleArea />}</main>
    );
  }
  return (
    <main className="pane">
      <Split
        label="Width of the list"
        initial={34}
        name="tabvisor.panes"
        storage={STORAGE}
        left={<MachineList />}
        right={<ConsoleArea />}
      />
    </main>
  );
}

/** Storage may be forbidden: then the layout is not remembered. */
const STORAGE: Pick<Storage, 'getItem' | 'setItem'> = {
  getItem(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  setItem(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Not remembered.
    }
  },
};

function SharedMemoryNotice() {
  const [hidden, setHidden] = useState(false);
  if (hidden || sharedMemoryAvailable()) return null;
  return (
    <Notice
      tone="warning"
      action={
        <Button className="button" onPress={() => setHidden(true)}>
          Continue without
        </Button>
      }
    >
      This page is not cross-origin isolated: VMs run without shared memory, with one processor
      each. A reload may help.
      <span className="notice-more">
        {' '}
        Else the server has to send Cross-Origin-Opener-Policy: same-origin and
        Cross-Origin-Embedder-Policy: require-corp.
      </span>
    </Notice>
  );
}

const SLOWER_KEY = 'tabvisor.slower-notice';

/** What this browser lacks, for as long as it lacks the same: closed once, it stays closed. */
function SlowerNotice() {
  const names = SLOW.map(({ name }) => name).join(', ');
  const [hidden, setHidden] = useState(() => STORAGE.getItem(SLOWER_KEY) === names);
  if (hidden || SLOW.length === 0) return null;
  return (
    <Notice
      tone="info"
      action={
        <Button
          className="button"
          onPress={() => {
            STORAGE.setItem(SLOWER_KEY, names);
            setHidden(true);
          }}
        >
          Got it
        </Button>
      }
    >
      Guests work here, but some of their code runs slower than it could. This browser has no{' '}
      {SLOW.map(({ name, why, versions }) => `${name}: ${why} (${versions} have them)`).join(
        '; and no ',
      )}
      .
    </Notice>
  );
}

/** A reload ended what ran; said plainly, because the list looks the same as before. */
function StartedAgainNotice() {
  const shown = useUi((state) => state.startedAgain);
  if (!shown) return null;
  return (
    <Notice
      tone="info"
      action={
        <Button className="button" onPress={() => setUi({ startedAgain: false })}>
          Close
        </Button>
      }
    >
      The page was loaded anew: what its machines held in memory is gone. The same machines have
      been started again, as the address describes them.
    </Notice>
  );
}

function OpenDialog() {
  const some = useUi((state) => state.dialog !== undefined);
  return some ? (
    <Suspense fallback={<KeysHeld />}>
      <Dialogs />
    </Suspense>
  ) : null;
}

/** While a dialog's script comes: keys are meant for the dialog, and no guest may get them. */
function KeysHeld() {
  useEffect(() => {
    const hold = (event: KeyboardEvent) => {
      event.preventDefault();
      event.stopPropagation();
    };
    window.addEventListener('keydown', hold, true);
    return () => window.removeEventListener('keydown', hold, true);
  }, []);
  return null;
}

/** Machines that were cut off; put off, they are still in the list. */
function RecoveryNotice() {
  const some = useStore(fleet.store, ({ vms }) =>
    vms.some(({ recovery }) => recovery !== undefined),
  );
  const [later, setLater] = useState(false);
  if (!some || later) return null;
  return (
    <Suspense>
      <Recovery onClose={() => setLater(true)} />
    </Suspense>
  );
}

/** The tab's title names the machine, or the view of the page, that is shown. */
function useDocumentTitle(): void {
  const { vm, view } = usePlace();
  const machine = useVm(vm)?.name;
  const page = vm === undefined ? PAGE_VIEWS.find(({ path }) => path === view)?.title : undefined;
  const name = machine ?? page;
  useEffect(() => {
    document.title = name === undefined ? 'Tabvisor' : `${name} – Tabvisor`;
  }, [name]);
}

/** Tells screen readers when a VM changes its state. */
function Announcer() {
  const vms = useVms();
  const before = useRef(new Map<string, string>());
  const [text, setText] = useState('');
  useEffect(() => {
    const changes: string[] = [];
    const now = new Map<string, string>();
    for (const vm of vms) {
      now.set(vm.id, vm.word);
      if (before.current.get(vm.id) !== vm.word) changes.push(`${vm.name}: ${vm.word}.`);
    }
    before.current = now;
    if (changes.length > 0) setText(changes.slice(0, 5).join(' '));
  }, [vms]);
  return (
    <div className="sr-only" role="status" aria-live="polite">
      {text}
    </div>
  );
}
