import { readdirSync, readFileSync } from 'node:fs';
import { toJsonSchema } from '@valibot/to-json-schema';
import { expect, test } from 'vitest';
import { LabSchema, membersOf } from '../../resources/lab.ts';
import { readLab, writeLab } from './lab-file.ts';

const GOOD = `format: 1
name: two
vms:
  server:
    template: micro
    resources: { preset: tiny, cpu: { weight: 7 }, memory: { maximum: 128M } }
    disks: [{ size: 16M, iops: 100 }]
    files: [{ path: /etc/motd, text: Hello }]
    ready: { command: 'true', within: 2m }
  client:
    count: 2
    after: [server]
update: { batch: 2 }
`;

const problemsOf = (text: string) => {
  const read = readLab(text);
  return read.kind === 'problems' ? read.problems : [];
};

test('a lab is read: replicas, order, limits over a preset', () => {
  const read = readLab(GOOD);
  if (read.kind !== 'lab') throw new Error(read.problems.join());
  const members = membersOf(read.lab);
  expect(members.map(({ name, after }) => [name, after])).toEqual([
    ['server', []],
    ['client-1', ['server']],
    ['client-2', ['server']],
  ]);
  expect(members[0]!.limits).toEqual({
    cpu: { cap: 50, weight: 7 },
    memory: { maximum: 128 << 20, minimum: 64 << 20 },
    disk: { iops: 500, bandwidth: 20 << 20 },
    disks: [{ iops: 100 }],
  });
});

test('what is written is read as the same, and JSON is read too', () => {
  const read = readLab(GOOD);
  if (read.kind !== 'lab') throw new Error(read.problems.join());
  expect(readLab(writeLab(read.lab))).toEqual(read);
  expect(readLab(JSON.stringify(read.lab))).toEqual(read);
});

test.each([
  [
    'an unknown key',
    'resources',
    'resourses',
    'Line 6: There is no “resourses” here. Is it “resources”?',
  ],
  ['an unknown key of the update', 'batch', 'batches', 'Line 13: There is no “batches” here.'],
  [
    'a batch of none',
    'batch: 2',
    'batch: 0',
    'Line 13: “update.batch”: This is a whole number from 1 to 16.',
  ],
  [
    'a VM that is not there',
    '[server]',
    '[sever]',
    'Line 12: There is no VM “sever” to start after. Is it “server”?',
  ],
  [
    'a size without a unit',
    '16M',
    "'16'",
    'Line 7: “vms.server.disks.0.size”: A size is written as 256M or 1G.',
  ],
  [
    'a way out of the folder',
    'text: Hello',
    'source: a/../../b',
    'A source is a path below the folder of the lab file.',
  ],
  [
    'two ways to be ready',
    "command: 'true'",
    "command: 'true', agent: true",
    'A readiness check is one of',
  ],
  ['no readiness at all', "command: 'true', ", '', 'A readiness check is one of'],
  [
    'a least memory above all',
    'maximum: 128M',
    'maximum: 32M',
    'Line 6: The least memory of a VM is at most',
  ],
  ['too many', 'count: 2', 'count: 16', 'Line 4: The lab has 17 VMs: at most 16.'],
  ['a prototype key', 'template: micro', '__proto__: {}', 'Line 5: “__proto__” cannot be a key.'],
  ['a repeated key', 'template: micro', 'disks: []', 'Line 7: Map keys must be unique.'],
  ['another format', 'format: 1', 'format: 2', 'Line 1: “format”: The format is 1.'],
  ['a missing name', 'name: two\n', '', '“name” is missing.'],
])('%s is refused with its line', (_, from, to, sentence) => {
  expect(GOOD).toContain(from);
  expect(problemsOf(GOOD.replace(from, to)).join('\n')).toContain(sentence);
});

test('those that wait for each other are named', () => {
  const text =
    'format: 1\nname: x\nvms: { a: { after: [b] }, b: { after: [c] }, c: { after: [b] } }';
  expect(problemsOf(text)).toEqual(['Line 3: These wait for each other: b → c → b.']);
});

test('aliases that grow and files that are long are refused', () => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (let i = 0; i < 8; i++) {
    const [one, next] = ['abcdefghij'[i], 'abcdefghij'[i + 1]];
    bomb.push(`${next}: &${next} [${Array(9).fill(`*${one}`).join()}]`);
  }
  expect(problemsOf(bomb.join('\n')).join()).toContain('repeats too much by aliases');
  expect(problemsOf('#'.repeat(300_000)).join()).toContain('at most 256 KB');
});

test('the labs that are shipped can be used', () => {
  const folder = new URL('../../../public/labs/', import.meta.url);
  const files = readdirSync(folder);
  expect(files.length).toBeGreaterThan(2);
  for (const file of files)
    expect(problemsOf(readFileSync(new URL(file, folder), 'utf8'))).toEqual([]);
});

test('the schema for editors is that of the code', () => {
  const file = new URL('../../../public/lab.schema.json', import.meta.url);
  const made = toJsonSchema(LabSchema, { typeMode: 'input', errorMode: 'ignore' });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(made)));
});
