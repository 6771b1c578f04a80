/** What is happening between “Start” and the shell: bytes first, then the guest's own stages. */
import { ProgressBar } from 'react-aria-components/ProgressBar';
import type { VmView } from '../../hypervisor/vm.ts';
import { formatBytes } from '../format.ts';
import { Icon } from '../parts/icon.tsx';

const STEPS = ['Download', 'Machine', 'Kernel', 'Init', 'Shell'] as const;

function stepOf(vm: VmView): number {
  if (vm.status === 'downloading') return 0;
  if (vm.status === 'starting') return 1;
  return { kernel: 2, init: 3, shell: 4 }[vm.bootStage];
}

function downloadSentence(loaded: number, total: number): string {
  if (total === 0) return 'Looking up the images…';
  if (loaded >= total) return 'Unpacking and verifying the images…';
  return `Downloading ${formatBytes(loaded)} of ${formatBytes(total)}`;
}

export function BootSteps({ vm }: { vm: VmView }) {
  const current = stepOf(vm);
  const { loaded, total } = vm.download ?? { loaded: 0, total: 0 };
  const sentence = [
    downloadSentence(loaded, total),
    'Setting up the machine…',
    'The kernel is starting…',
    'The guest is starting its services…',
    'The shell is up.',
  ][current];
  const share = current === 0 ? (total > 0 ? loaded / total : 0) : 1;
  return (
    <div className="boot">
      <ProgressBar
        aria-label={`Boot of ${vm.name}`}
        value={Math.round(((current + (current === 0 ? share : 0)) / (STEPS.length - 1)) * 100)}
        valueLabel={sentence ?? ''}
        className="boot-bar"
      >
        {({ percentage }) => <span style={{ inlineSize: `${percentage}%` }} />}
      </ProgressBar>
      <div className="boot-line">
        <span className="boot-sentence">{sentence}</span>
        <ol className="boot-steps" aria-hidden="true">
          {STEPS.map((step, index) => (
            <li
              key={step}
              data-step={index < current ? 'done' : index === current ? 'now' : 'ahead'}
            >
              {index < current && <Icon name="check" size={12} />}
              {step}
            </li>
          ))}
        </ol>
      </div>
    </div>
  );
}
