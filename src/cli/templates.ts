/** `tabvisor templates`: what can be started by name, one guest a line. */
import { listTemplates } from './repository.ts';

export async function templates(): Promise<string> {
  const list = await listTemplates();
  if (list.length === 0) return 'There are no templates. Make them with "npm run guests".\n';
  const width = Math.max(...list.map(({ name }) => name.length));
  return list.map(({ name, description }) => `${name.padEnd(width)}  ${description}\n`).join('');
}
