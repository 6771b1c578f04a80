/** What a view says while this page has no storage: why, and what to do about it. */
import type { ReactNode } from 'react';
import { Button } from 'react-aria-components/Button';
import type { StorageState } from '../../hypervisor/snapshots/types.ts';
import { Notice } from '../parts/controls.tsx';
import { fleet } from '../services.ts';

export function WithStorage({ storage, children }: { storage: StorageState; children: ReactNode }) {
  if (storage.kind === 'unavailable') {
    return (
      <Notice
        tone="warning"
        action={
          <Button className="button" onPress={() => void fleet.openStorage()}>
            Try again
          </Button>
        }
      >
        {storage.message}
      </Notice>
    );
  }
  if (storage.kind !== 'ready') {
    return (
      <p className="view-loading muted" role="status">
        Opening the storage of this browser…
      </p>
    );
  }
  return children;
}
