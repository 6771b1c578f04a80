/** What the page shows without VMs: what there is to boot, or why there is nothing. */
import { lazy, Suspense } from 'react';
import { Button } from 'react-aria-components/Button';
import { BOOT_COUNT_MAXIMUM } from '../../hypervisor/boot-request.ts';
import type { MissingFeature } from '../../hypervisor/features.ts';
import { formatMemorySize, MEMORY_MAXIMUM } from '../../hypervisor/memory-size.ts';
import { createVms, forgetAddress, loadCatalogue } from '../boot.ts';
import { Keys } from '../parts/controls.tsx';
import { Icon } from '../parts/icon.tsx';
import { setUi, useUi } from '../store.ts';

/** Rarely is one being made. */
const TemplateMade = lazy(() => import('./template-made.tsx'));

export function Welcome() {
  const catalogue = useUi((state) => state.catalogue);
  return (
    <main className="welcome">
      <div className="welcome-inner">
        <h1>Boot Linux in this tab</h1>
        <p className="lead">
          Real Debian kernels on processors made of WebAssembly, several side by side. Nothing is
          installed, and nothing leaves this machine.
        </p>
        {catalogue.kind === 'loading' && (
          <p className="muted" role="status">
            Looking up what there is to boot…
          </p>
        )}
        {catalogue.kind === 'failed' && (
          <div className="card" role="alert">
            <h2>The list of templates is not there</h2>
            <p>{catalogue.reason}</p>
            <Button className="button primary" onPress={() => void loadCatalogue()}>
              Try again
            </Button>
          </div>
        )}
        {catalogue.kind === 'ready' && (
          <>
            <ul className="cards">
              {catalogue.templates.map((template) => (
                <li key={template.name} className="card">
                  <div>
                    <h2>{template.title}</h2>
                    <p className="muted">{template.description}</p>
                  </div>
                  <div className="card-actions">
                    <Button
                      className="button primary"
                      data-leads-to-console
                      onPress={() => createVms({ template, count: 1 })}
                    >
                      <Icon name="play" /> Boot {template.name}
                    </Button>
                    <Button
                      className="button"
                      data-leads-to-console
                      onPress={() => setUi({ dialog: { kind: 'new', template: template.name } })}
                    >
                      Choose memory and number…
                    </Button>
                  </div>
                </li>
              ))}
            </ul>
            <Suspense>
              <TemplateMade />
            </Suspense>
            <p className="muted tips">
              <span>
                <Keys shortcut="N" /> new VM
              </span>
              <span>
                <Keys shortcut="Ctrl+Shift+P" /> commands
              </span>
              <span>
                <Keys shortcut="?" /> shortcuts
              </span>
            </p>
          </>
        )}
      </div>
    </main>
  );
}

export function BootProblems({ problems }: { problems: readonly string[] }) {
  const catalogue = useUi((state) => state.catalogue);
  return (
    <main className="welcome">
      <div className="welcome-inner">
        <h1>This address cannot be booted</h1>
        <div role="alert">
          <ul className="problems">
            {problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        </div>
        <h2>What there is</h2>
        <dl className="options">
          {catalogue.kind === 'ready' &&
            catalogue.templates.map((template) => (
              <div key={template.name}>
                <dt>
                  <code>boot={template.name}</code>
                </dt>
                <dd>
                  {template.title}. {template.description}
                </dd>
              </div>
            ))}
          <div>
            <dt>
              <code>boot=NAME:3</code>
            </dt>
            <dd>Several at once, at most {BOOT_COUNT_MAXIMUM}.</dd>
          </div>
          <div>
            <dt>
              <code>memory=128M</code>
            </dt>
            <dd>Memory of each, at most {formatMemorySize(MEMORY_MAXIMUM)}.</dd>
          </div>
          <div>
            <dt>
              <code>disk=64M</code>
            </dt>
            <dd>A blank disk for each, in this browser’s memory: gone when the VM is off.</dd>
          </div>
          <div>
            <dt>
              <code>name=lab</code>
            </dt>
            <dd>Name of the one, prefix of the names of several.</dd>
          </div>
          <div>
            <dt>
              <code>run=COMMAND</code>
            </dt>
            <dd>Typed when the shell is up.</dd>
          </div>
          <div>
            <dt>
              <code>start=no</code>
            </dt>
            <dd>Listed, and started by hand.</dd>
          </div>
        </dl>
        <Button className="button primary" onPress={forgetAddress}>
          Open Tabvisor without it
        </Button>
      </div>
    </main>
  );
}

export function Unsupported({ missing }: { missing: readonly MissingFeature[] }) {
  return (
    <main className="welcome">
      <div className="welcome-inner" role="alert">
        <h1>This browser lacks something that VMs need</h1>
        <dl className="options">
          {missing.map((feature) => (
            <div key={feature.name}>
              <dt>{feature.name}</dt>
              <dd>
                Missing: {feature.why}. It is there in {feature.versions}.
              </dd>
            </div>
          ))}
        </dl>
        <Button className="button primary" onPress={() => location.reload()}>
          Check again
        </Button>
      </div>
    </main>
  );
}
