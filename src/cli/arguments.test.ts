import { describe, expect, it } from 'vitest';
import { UserError } from '../machine/errors.ts';
import { MIB } from '../machine/memory-map.ts';
import { parseRunArguments } from './arguments.ts';
import { nicenessOf } from './limits.ts';

const parse = (line: string) => parseRunArguments(line === '' ? [] : line.split(' '));

describe('arguments of run', () => {
  it('takes nothing, and everything', () => {
    expect(parse('')).toEqual({
      memory: undefined,
      disks: [],
      timeoutSeconds: undefined,
      cold: false,
      lockstep: false,
      without: [],
      stats: false,
      trace: false,
    });
    expect(
      parse(
        '--kernel K --initrd I --append a=b --firmware F --memory 256M --memory-target 96M --disk d --disk e.img,ro ' +
          '--exec ls --timeout 1.5 --tier interpreter --without tail-calls,fused-multiply-add ' +
          '--stats --trace',
      ),
    ).toEqual({
      kernel: 'K',
      initrd: 'I',
      append: 'a=b',
      firmware: 'F',
      memory: 256 * MIB,
      memoryTarget: 96 * MIB,
      disks: [
        { file: 'd', readOnly: false },
        { file: 'e.img', readOnly: true },
      ],
      exec: 'ls',
      timeoutSeconds: 1.5,
      tier: 'interpreter',
      cold: false,
      lockstep: false,
      without: ['tailCalls', 'fusedMultiplyAdd'],
      stats: true,
      trace: true,
    });
  });

  it.each([
    ['1M', 1],
    ['96', 96],
    ['1.5G', 1536],
    ['2gib', 2048],
    ['131072k', 128],
  ])('reads %s of memory', (text, megabytes) => {
    expect(parse(`--memory ${text}`).memory).toBe(megabytes * MIB);
  });

  it.each([
    ['--nonsense', /^There is no option --nonsense\. See "tabvisor run --help"\.$/],
    ['--nonsense=1', /^There is no option --nonsense\./],
    ['-x', /^There is no option -x\./],
    ['--no-stats', /^There is no option --no-stats\./],
    ['word', /^"word" belongs to no option\./],
    ['-- word', /^"word" belongs to no option\./],
    ['--without threads', /^--without takes tail-calls and fused-multiply-add, not "threads"/],
    ['--memory', /^--memory needs a value\. Write it as in --memory 256M\.$/],
    ['--memory --stats', /^--memory needs a value, and "--stats" looks like the next option\./],
    ['--exec -l', /write --exec="-l"\.$/],
    ['--timeout -1', /^"-1" is no number of seconds\./],
    ['--memory lots', /"lots" is no size/],
    ['--memory 0', /from 1 MB to 2048 MB/],
    ['--memory 3G', /from 1 MB to 2048 MB/],
    ['--memory -5', /^"-5" is no size of memory\./],
    ['--timeout soon', /"soon" is no number of seconds/],
    ['--timeout 0', /no number of seconds/],
    ['--tier fast', /--tier is one of interpreter, translator, both, not "fast"/],
    ['--disk a,rw', /knows the options "ro", .*, not "rw"\.$/],
    ['--disk a,iops=many', /^The option "iops" of --disk takes a number such as 500, not "many"/],
    ['--disk a,iops=0', /^The limit of operations of a disk is a whole number from 1 to/],
    ['--cpu-cap 0', /^The cap of a processor, in percent, is a whole number from 1 to 100\.$/],
    ['--cpu-cap 25%', /^--cpu-cap takes a number such as 25, not "25%"\.$/],
    ['--cpu-cap 12.5', /whole number from 1 to 100/],
    ['--cpu-weight 1001', /^The weight of a VM is a whole number from 1 to 1000\.$/],
    ['--harts 2', /one hart for now/],
    ['--disk-bandwidth fast', /^--disk-bandwidth takes bytes a second such as 10M, not "fast"/],
    ['--disk-bandwidth 1k', /^The bandwidth of a disk/],
    ['--disk-burst 0', /at least 0\.05 s/],
    ['--preset huge', /^--preset is one of tiny, small, standard, large, not "huge"\.$/],
    ['--preset toString', /^--preset is one of/],
    ['--snapshot s --preset tiny', /exclude each other/],
    ['--lockstep --cpu-cap 5', /exclude each other/],
    ['--disk ,ro', /needs a file/],
    ['--initrd i', /--initrd needs --kernel/],
    ['--template t --kernel k', /exclude each other/],
    ['--elf e --exec c', /exclude each other/],
    ['--lockstep --disk d', /exclude each other/],
    ['--lockstep --tier interpreter', /another tier/],
    ['--exec=', /not empty/],
    ['--stats=yes', /^--stats takes no value, so not "yes"\.$/],
    [`${'--disk d '.repeat(7).trim()}`, /takes 6 disks/],
  ])('refuses "%s" with one sentence', (line, sentence) => {
    expect(() => parse(line)).toThrow(UserError);
    expect(() => parse(line)).toThrow(sentence);
    try {
      parse(line);
    } catch (error) {
      expect((error as Error).message).not.toContain('\n');
    }
  });

  it('takes values that begin with a minus where the equals sign makes it plain', () => {
    expect(parse('--exec=-l --append=--x')).toMatchObject({ exec: '-l', append: '--x' });
  });

  it('takes a folder to share, and whether it is only read', () => {
    expect(parse('--share a').share).toEqual({ folder: 'a', readOnly: false });
    expect(parse('--share a:b:ro').share).toEqual({ folder: 'a:b', readOnly: true });
    expect(() => parse('--share=:ro')).toThrow('--share needs a folder. Write it as in');
    expect(() => parse('--share a --lockstep')).toThrow('--lockstep and --share exclude');
  });

  it('takes limits, of the machine and of each disk', () => {
    expect(
      parse(
        '--cpu-cap 25 --cpu-weight 2 --disk-iops 100 --disk-bandwidth 10M --disk-burst 0.5 ' +
          '--disk a.img --disk b.img,iops=50,ro,bandwidth=512k',
      ),
    ).toMatchObject({
      disks: [
        { file: 'a.img', readOnly: false },
        { file: 'b.img', readOnly: true },
      ],
      limits: {
        cpu: { cap: 25, weight: 2 },
        disk: { iops: 100, bandwidth: 10 * MIB, burst: 0.5 },
        disks: [{}, { iops: 50, bandwidth: MIB / 2 }],
      },
    });
    expect(parse('--disk a.img').limits).toBeUndefined();
  });

  it('takes a preset, and what is said beside it before that', () => {
    const { memory, limits } = parse('--preset tiny --cpu-cap 80');
    expect(memory).toBe(96 * MIB);
    expect(limits?.cpu).toEqual({ cap: 80, weight: 50 });
    expect(parse('--preset large --memory 300M').memory).toBe(300 * MIB);
  });

  it('turns weights into niceness, by which the system divides the processor', () => {
    expect([100, 50, 200, 10, 1, 1000].map(nicenessOf)).toEqual([0, 3, -3, 10, 19, -10]);
  });

  it('takes a comma in the name of a disk', () => {
    expect(parse('--disk a,b.img').disks).toEqual([{ file: 'a,b.img', readOnly: false }]);
  });
});
