/**
 * A lab from the command line, as a person or continuous integration uses it: real processes, real
 * guests. One lab serves all assertions, in order.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../../bin/tabvisor', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'labs-'));
const runtime = join(folder, 'run');
const env = { ...process.env, XDG_RUNTIME_DIR: runtime };
const file = join(folder, 'lab.yaml');

const lab = (greeting: string, ready = 'true') => `format: 1
name: two
vms:
  server:
    files: [{ path: /srv/greeting, text: "${greeting}", mode: "0600" }, { path: /srv/own, source: own.txt }]
    ready: { command: "${ready}", within: 4m }
    tags: [web]
  client:
    after: [server]
    disks: [{ size: 4M }]
    run: ['echo begun >/root/begun']
`;

let running: ChildProcess;
let said = '';
const ended = () => new Promise<number | null>((resolve) => running.once('close', resolve));
let end: Promise<number | null>;

function tabvisor(
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [bin, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => (out.stdout += data));
    child.stderr.on('data', (data) => (out.stderr += data));
    child.on('close', (code) => resolve({ code, ...out }));
  });
}

function get(
  url: string,
  host?: string,
): Promise<{ status: number | undefined; type: string | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    request(url, { headers: host === undefined ? {} : { host } }, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () =>
        resolve({ status: response.statusCode, type: response.headers['content-type'], text }),
      );
    })
      .on('error', reject)
      .end();
  });
}

beforeAll(async () => {
  writeFileSync(join(folder, 'own.txt'), 'from beside the lab');
  writeFileSync(file, lab('hello'));
  mkdirSync(join(runtime, `tabvisor-${process.getuid?.()}`), { recursive: true, mode: 0o700 });
  // What a killed process leaves.
  writeFileSync(join(runtime, `tabvisor-${process.getuid?.()}`, 'two.sock'), '');
  running = spawn(process.execPath, [bin, 'up', file, '--metrics', '0'], { env });
  end = ended();
  const come = new Promise<void>((resolve) => {
    running.stdout?.on('data', (data) => {
      said += data;
      if (said.includes('client | Ready.')) resolve();
    });
  });
  running.stderr?.on('data', (data) => (said += data));
  await Promise.race([come, end]);
  expect(said).toContain('client | Ready.');
});

afterAll(async () => {
  running.kill('SIGINT');
  await end;
  rmSync(folder, { recursive: true });
});

test('one starts when the other is ready, and both are listed', async () => {
  expect(said.indexOf('client | Starting.')).toBeGreaterThan(said.indexOf('server | Ready.'));
  const { code, stdout } = await tabvisor('ps');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^server +running +ready +micro +web$/m);
  expect(stdout).toMatch(/^client +running +ready +micro +-$/m);
});

test('files are there, and a command gives output and exit code, again and again', async () => {
  const files = await tabvisor(
    'exec',
    'server',
    'cat /srv/greeting /srv/own; stat -c %a /srv/greeting',
  );
  expect(files).toEqual({ code: 0, stdout: 'hellofrom beside the lab600\n', stderr: '' });
  const begun = await tabvisor('exec', '--name', 'two', 'client', 'cat begun; echo no >&2; exit 7');
  expect(begun).toEqual({ code: 7, stdout: 'begun\n', stderr: 'no\n' });
  const nobody = await tabvisor('exec', 'nobody', 'true');
  expect(nobody.code).toBe(2);
  expect(nobody.stderr).toContain('The lab has no VM "nobody"');
});

test('the console of each is kept', async () => {
  const { stdout } = await tabvisor('logs', 'server');
  expect(stdout).toContain('BusyBox');
});

test('figures are served to this computer by its own name only', async () => {
  const url = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(said)![0];
  await tabvisor('exec', 'client', 'head -c 8192 /dev/zero | dd of=/dev/vda conv=fsync');
  const { status, type, text } = await get(url);
  expect(status).toBe(200);
  expect(type).toContain('application/openmetrics-text; version=1.0.0');
  expect(text).toMatch(/^tabvisor_vm_up\{vm="server"\} 1$/m);
  expect(text).toMatch(/^tabvisor_vm_instructions_total\{vm="client"\} [1-9]/m);
  expect(text).toMatch(/^tabvisor_vm_disk_written_bytes_total\{vm="client",disk="0"\} 8192$/m);
  expect(text).not.toContain('vm="server",disk=');
  // The kernel answers soon after it was asked, the agent some seconds later.
  const figure = (metric: string) =>
    new RegExp(`^tabvisor_vm_${metric}\\{vm="server"\\} [1-9]`, 'm');
  for (const metric of ['memory_used_bytes', 'filesystem_size_bytes', 'processes']) {
    await expect
      .poll(async () => (await get(url)).text, { timeout: 60_000 })
      .toMatch(figure(metric));
  }
  expect(text.endsWith('# EOF\n')).toBe(true);
  expect((await get(url.replace('metrics', 'other'))).status).toBe(404);
  expect((await get(url, 'evil.example')).status).toBe(403);
});

test('the socket is for its user alone, and a second lab of that name is refused', async () => {
  const own = join(runtime, `tabvisor-${process.getuid?.()}`);
  expect(statSync(own).mode & 0o777).toBe(0o700);
  const second = await tabvisor('up', file);
  expect(second.code).toBe(2);
  expect(second.stderr).toContain('A lab “two” is up already');
  chmodSync(own, 0o755);
  const open = await tabvisor('ps');
  chmodSync(own, 0o700);
  expect(open.stderr).toContain('is not yours alone');
});

test('an update that does not become healthy leaves the old one running, and a good one replaces it', async () => {
  await tabvisor('exec', 'server', 'touch /root/was-here');
  const next = join(folder, 'next.yaml');
  writeFileSync(next, lab('bye').replace('run: [', "run: ['exit 9', "));
  const failed = await tabvisor('update', next, '--batch', '2');
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('“exit 9” ended with 9');
  const kept = await tabvisor('exec', 'server', 'ls /root; cat /srv/greeting');
  expect(kept).toEqual({ code: 0, stdout: 'was-here\nhello', stderr: '' });
  writeFileSync(next, lab('bye'));
  expect((await tabvisor('update', next)).stdout).toBe('Updated: 1 VMs.\n');
  expect((await tabvisor('exec', 'server', 'cat /srv/greeting')).stdout).toBe('bye');
  expect((await tabvisor('exec', 'client', 'cat /root/begun')).stdout).toBe('begun\n');
});

test('down ends all and leaves no socket', async () => {
  expect((await tabvisor('down')).code).toBe(0);
  expect(await end).toBe(0);
  expect(readdirSync(join(runtime, `tabvisor-${process.getuid?.()}`))).toEqual([]);
  expect((await tabvisor('ps')).stderr).toContain('No lab is up.');
});
