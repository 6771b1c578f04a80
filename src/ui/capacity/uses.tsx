/**
 * What uses what: memory of machines, storage of snapshots, disks and caches; and one click that
 * clears what belongs to no machine any more.
 */
import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import { useStore } from 'zustand';
import { isLive } from '../../hypervisor/vm.ts';
import { Notice } from '../parts/controls.tsx';
import { fleet } from '../services.ts';
import { cachedBytes, clearOrphans, orphansOf } from './orphans.ts';
import { ScrollingTable } from './table.tsx';
import { formatSize } from './units.ts';

export function Uses() {
  const vms = useStore(fleet.store, (state) => state.vms);
  const { list, storage } = useStore(fleet.snapshots);
  const [cache, setCache] = useState<number>();
  const [result, setResult] = useState<{ tone: 'info' | 'error'; text: string }>();
  const [clearing, setClearing] = useState(false);
  const orphans = orphansOf(list, vms);
  const bytes = orphans.reduce((sum, snapshot) => sum + snapshot.bytes, 0);
  useEffect(() => {
    void cachedBytes().then(setCache);
  }, []);

  const clear = async () => {
    setClearing(true);
    try {
      const freed = await clearOrphans();
      setResult({ tone: 'info', text: `Cleaned up: ${freed}.` });
      setCache(await cachedBytes());
    } catch (error) {
      setResult({ tone: 'error', text: error instanceof Error ? error.message : String(error) });
    } finally {
      setClearing(false);
    }
  };

  return (
    <section className="panel" aria-labelledby="host-uses">
      <div className="panel-head">
        <h2 id="host-uses">What uses what</h2>
        <Button
          className="button"
          isDisabled={clearing || (orphans.length === 0 && !cache)}
          onPress={() => void clear()}
        >
          {clearing ? 'Cleaning up…' : 'Clean up'}
        </Button>
      </div>
      {result !== undefined && <Notice tone={result.tone}>{result.text}</Notice>}
      <ScrollingTable label="What uses what" className="numbers">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Memory</th>
            <th scope="col">Snapshots</th>
          </tr>
        </thead>
        <tbody>
          {vms.map((vm) => {
            const own = list.filter((snapshot) => snapshot.vm === vm.keptId);
            return (
              <tr key={vm.id}>
                <th scope="row">{vm.name}</th>
                <td>
                  {isLive(vm.status)
                    ? `${formatSize(vm.figures?.memoryInUse ?? 0)} of ${formatSize(vm.memory ?? 0)}`
                    : '–'}
                </td>
                <td>
                  {own.length === 0
                    ? '–'
                    : `${own.length}, ${formatSize(own.reduce((sum, one) => sum + one.bytes, 0))}`}
                </td>
              </tr>
            );
          })}
          <tr>
            <th scope="row">Snapshots that belong to no machine</th>
            <td>–</td>
            <td>
              {storage.kind !== 'ready'
                ? 'storage is not open'
                : orphans.length === 0
                  ? 'none'
                  : `${orphans.length}, ${formatSize(bytes)}`}
            </td>
          </tr>
          <tr>
            <th scope="row">Downloaded images, kept for the next start</th>
            <td>–</td>
            <td>{cache === undefined ? '…' : formatSize(cache)}</td>
          </tr>
        </tbody>
      </ScrollingTable>
      <p className="hint">
        Clean up deletes the snapshots that belong to no machine and the downloaded images of
        templates that no machine uses. Machines, and their snapshots and disks, stay.
      </p>
    </section>
  );
}
