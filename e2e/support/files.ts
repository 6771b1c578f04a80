/** Files that go into a page and come out of it, past the dialogs of the browser. */
import { writeFileSync } from 'node:fs';
import type { JSHandle, Page } from '@playwright/test';
import type { Fleet } from '../../src/hypervisor/fleet.ts';

/** Has the page take in a file, as a VM or a disk; returns its id. */
export async function importFile(
  page: Page,
  fleet: JSHandle<Fleet>,
  path: string,
  how: 'importVm' | 'importDisk' = 'importVm',
): Promise<string> {
  await page.evaluate(() => {
    const input = document.createElement('input');
    input.type = 'file';
    input.id = 'a-file';
    document.body.append(input);
  });
  await page.locator('#a-file').setInputFiles(path);
  return fleet.evaluate(async (fleet, how) => {
    const input = document.querySelector<HTMLInputElement>('#a-file');
    const file = input?.files?.[0];
    input?.remove();
    if (!file) throw new Error('There is no file.');
    return fleet[how](file);
  }, how);
}

/** Has the page write a VM, or a disk that no VM uses, to a file. */
export async function exportFile(
  fleet: JSHandle<Fleet>,
  id: string,
  path: string,
  how: 'exportVm' | 'exportDisk' = 'exportVm',
): Promise<void> {
  const get = async (fleet: Fleet, { id, how }: { id: string; how: 'exportVm' | 'exportDisk' }) => {
    const { stream } = await fleet[how](id);
    const blob = await new Response(stream).blob();
    return new Promise<string>((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(String(reader.result));
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(blob);
    });
  };
  const address = await fleet.evaluate(get, { id, how });
  writeFileSync(path, Buffer.from(address.slice(address.indexOf(',') + 1), 'base64'));
}
