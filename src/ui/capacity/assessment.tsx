/** What this computer and this browser give, and how many guests that carries. */
import { Button } from 'react-aria-components/Button';
import { hostFeatures } from '../../hypervisor/features.ts';
import { budgetOf } from '../../hypervisor/host-assessment.ts';
import { recommend, recommendationText, size } from '../../resources/admission.ts';
import { Notice } from '../parts/controls.tsx';
import { Icon } from '../parts/icon.tsx';
import { useAssessment } from './hooks.ts';
import { assess, now } from './service.ts';
import { SIZES } from './sizes.ts';
import { formatSize, formatSpan } from './units.ts';

export function Assessment() {
  const { assessment, measuring } = useAssessment();
  const budget = budgetOf(assessment);
  return (
    <section className="panel" aria-labelledby="host-assessment">
      <div className="panel-head">
        <h2 id="host-assessment">What this computer gives</h2>
        <Button className="button" isDisabled={measuring} onPress={() => void assess(true)}>
          <Icon name="reset" /> {measuring ? 'Measuring…' : 'Measure again'}
        </Button>
      </div>
      {assessment === undefined ? (
        <p className="muted" role="status">
          {measuring ? 'Measuring: about three seconds.' : 'Not measured yet.'}
        </p>
      ) : (
        <>
          <p className="lead">{recommendationText(recommend(budget, SIZES))}</p>
          {assessment.problem !== undefined && (
            <Notice tone="warning">{assessment.problem} Measure again.</Notice>
          )}
          <dl className="facts-list">
            <Fact title="Processors">{assessment.cores}</Fact>
            <Fact title="Memory">
              {assessment.memory === undefined
                ? 'not measured'
                : assessment.memory.ends
                  ? `${size(assessment.memory.bytes)}, then the browser refused`
                  : `at least ${size(assessment.memory.bytes)}; more was not asked for`}
              {budget.memory !== undefined &&
                budget.memory < (assessment.memory?.bytes ?? 0) &&
                `; of this device's ${assessment.deviceMemory} GB, guests should have ${size(budget.memory)}`}
            </Fact>
            <Fact title="Speed">
              {assessment.speed === undefined
                ? 'not measured'
                : `${Math.round(assessment.speed.mips)} million guest instructions a second on one processor`}
            </Fact>
            <Fact title="Storage">
              {assessment.storage === undefined
                ? 'none: this browser does not tell'
                : `${formatSize(assessment.storage.used)} of ${formatSize(assessment.storage.quota)}, ${
                    assessment.storage.persistent
                      ? 'kept until you delete it'
                      : 'the browser may clear it when the disk gets full'
                  }`}
            </Fact>
            <Fact title="Isolation">
              {assessment.crossOriginIsolated
                ? 'cross-origin isolated'
                : 'not cross-origin isolated'}
              {assessment.sharedMemory ? ', with shared memory' : ', without shared memory'}
            </Fact>
          </dl>
          <ul className="features" aria-label="Features of this browser">
            {hostFeatures().map(({ name, present, versions }) => (
              <li key={name} data-present={present}>
                <Icon name={present ? 'check' : 'close'} size={14} />
                <span>
                  {name}
                  {!present && <span className="muted"> – missing; {versions}</span>}
                </span>
              </li>
            ))}
          </ul>
          <p className="hint">Measured {formatSpan((now() - assessment.at) / 1000)} ago.</p>
        </>
      )}
    </section>
  );
}

function Fact({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd>{children}</dd>
    </div>
  );
}
