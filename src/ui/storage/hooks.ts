/** What the views of storage follow: the snapshots, the disks, how much room there is. */
import { useCallback, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { SnapshotsState } from '../../hypervisor/snapshots/types.ts';
import type { DiskListing } from '../../hypervisor/storage/api.ts';
import { fleet } from '../services.ts';

/** How often disks and room are asked for while somebody looks, in milliseconds. */
const LOOK_MS = 2500;

/** Snapshots of this browser; opens the storage when it is first looked at. */
export function useSnapshots(): SnapshotsState {
  const state = useStore(fleet.snapshots);
  useEffect(() => void fleet.openStorage(), []);
  return state;
}

/** Asks again and again, and at once when told to. An answer that comes late is dropped. */
function usePolled<T>(ask: () => Promise<T>): {
  value: T | undefined;
  failure: string | undefined;
  again: () => void;
} {
  const [value, setValue] = useState<T>();
  const [failure, setFailure] = useState<string>();
  const [count, setCount] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `count` asks at once
  useEffect(() => {
    let gone = false;
    const look = () =>
      ask().then(
        (answer) => {
          if (gone) return;
          setValue(answer);
          setFailure(undefined);
        },
        (error: unknown) => {
          if (!gone) setFailure(error instanceof Error ? error.message : String(error));
        },
      );
    void look();
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void look();
    }, LOOK_MS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [ask, count]);
  return { value, failure, again: useCallback(() => setCount((before) => before + 1), []) };
}

async function askDisks(): Promise<readonly DiskListing[]> {
  return (await fleet.storage.api()).disks();
}

export function useDisks() {
  const { value, failure, again } = usePolled(askDisks);
  return { disks: value, failure, again };
}

export interface Room {
  readonly used: number;
  readonly quota: number;
  readonly persistent: boolean;
}

/** Without opening the storage. */
export async function askRoom(): Promise<Room> {
  const storage = navigator.storage as StorageManager | undefined;
  if (storage?.estimate === undefined) throw new Error('This browser gives pages no storage.');
  const { usage = 0, quota = 0 } = await storage.estimate();
  return { used: usage, quota, persistent: (await storage.persisted?.()) ?? false };
}

export function useRoom() {
  const { value, failure, again } = usePolled(askRoom);
  return { room: value, failure, again };
}
