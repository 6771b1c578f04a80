/**
 * How other processes of the same user talk to a running lab: a Unix socket named after it in a
 * folder that nobody else can enter, a line of JSON each way. Guarantees that a socket which a killed
 * process left is taken over, that two labs of one name are refused, and that what does not fit the
 * schema is answered by a sentence.
 */
import { lstat, mkdir, readdir, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as v from 'valibot';
import { messageOf, UserError } from '../../machine/errors.ts';
import { LAB_VMS } from '../../resources/lab.ts';

const LINE_LIMIT = 64 * 1024;

export const CommandSchema = v.variant('command', [
  v.strictObject({ command: v.literal('ps') }),
  v.strictObject({ command: v.literal('exec'), vm: v.string(), text: v.string() }),
  v.strictObject({ command: v.literal('logs'), vm: v.optional(v.string()) }),
  v.strictObject({ command: v.literal('down') }),
  v.strictObject({
    command: v.literal('update'),
    file: v.string(),
    batch: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(LAB_VMS))),
  }),
]);
export type ControlCommand = v.InferOutput<typeof CommandSchema>;

const AnswerSchema = v.variant('type', [
  v.strictObject({
    type: v.literal('out'),
    stream: v.picklist(['stdout', 'stderr']),
    data: v.string(),
  }),
  v.strictObject({ type: v.literal('end'), code: v.number(), message: v.optional(v.string()) }),
]);
export type Answer = v.InferOutput<typeof AnswerSchema>;

/** Does a command; what it resolves with is the code that the other process ends with. */
export type Handler = (
  command: ControlCommand,
  out: (stream: 'stdout' | 'stderr', data: Uint8Array | string) => void,
) => Promise<number>;

export async function controlFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const folder = join(process.env.XDG_RUNTIME_DIR ?? tmpdir(), `tabvisor-${uid}`);
  await mkdir(folder, { mode: 0o700, recursive: true });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw new UserError(`The folder ${folder} is not yours alone: it is not used. Remove it.`);
  }
  return folder;
}

export async function serveControl(name: string, handle: Handler): Promise<Server> {
  const path = join(await controlFolder(), `${name}.sock`);
  if (await answers(path)) {
    throw new UserError(
      `A lab “${name}” is up already. Take it down, or give this one another --name.`,
    );
  }
  await unlink(path).catch(() => {});
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    let line = '';
    let taken = false;
    socket.setEncoding('utf8').on('data', (text: string) => {
      if (taken) return;
      line += text;
      const end = line.indexOf('\n');
      if (end < 0 && line.length <= LINE_LIMIT) return;
      taken = true;
      void answer(socket, line.slice(0, Math.max(end, 0)), handle);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return server;
}

async function answer(socket: Socket, line: string, handle: Handler): Promise<void> {
  const say = (one: Answer) => {
    if (!socket.destroyed) socket.write(`${JSON.stringify(one)}\n`);
  };
  try {
    const parsed = v.safeParse(CommandSchema, parse(line));
    if (!parsed.success) throw new UserError('This is no command that a lab knows.');
    const code = await handle(parsed.output, (stream, data) => {
      say({ type: 'out', stream, data: Buffer.from(data).toString('base64') });
    });
    say({ type: 'end', code });
  } catch (error) {
    say({ type: 'end', code: 2, message: messageOf(error) });
  }
  socket.end();
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Sends a command to the lab of a name, or to the only one; its output comes out here. */
export async function control(name: string | undefined, command: ControlCommand): Promise<number> {
  const folder = await controlFolder();
  const socket = await connect(join(folder, `${name ?? (await onlyLab(folder))}.sock`));
  if (!socket) throw new UserError(`No lab “${name}” is up. Bring one up with "tabvisor up FILE".`);
  socket.write(`${JSON.stringify(command)}\n`);
  for await (const line of createInterface({ input: socket })) {
    const one = v.parse(AnswerSchema, JSON.parse(line));
    if (one.type === 'out') process[one.stream].write(Buffer.from(one.data, 'base64'));
    else if (one.message !== undefined) throw new UserError(one.message);
    else return one.code;
  }
  throw new UserError('The lab ended before it answered.');
}

async function onlyLab(folder: string): Promise<string> {
  const names: string[] = [];
  for (const file of await readdir(folder)) {
    if (file.endsWith('.sock') && (await answers(join(folder, file))))
      names.push(file.slice(0, -5));
  }
  const [one] = names;
  if (names.length > 1)
    throw new UserError(`Several labs are up: ${names.join(', ')}. Give one with --name.`);
  if (one === undefined) throw new UserError('No lab is up. Bring one up with "tabvisor up FILE".');
  return one;
}

async function answers(path: string): Promise<boolean> {
  const socket = await connect(path);
  socket?.destroy();
  return socket !== undefined;
}

function connect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(path, () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}
