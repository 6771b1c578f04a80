/**
 * Shell commands at random, for busybox: pipelines over generated data, arithmetic, loops, processes,
 * archives, trees of files. The same seed gives the same commands. What a command prints depends on
 * nothing but itself: no time, process number, address or order in which processes got to run.
 */
import { generator } from '../translator/programs.ts';

type Random = (below: number) => number;

const WORDS = [
  'alpha',
  'Bravo',
  'charlie',
  'DELTA',
  'echo',
  'fox trot',
  'g0lf',
  'hôtel',
  '',
  'a.b',
];

/** A command's random choices. */
class Chooser {
  readonly below: Random;

  constructor(seed: number) {
    this.below = generator(seed);
    // The first numbers of neighbouring seeds are alike.
    for (let i = 0; i < 16; i++) this.below(2);
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  from(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** Mostly small, now and then large: commands stay short, and some code gets hot. */
  lines(): number {
    return this.below(8) === 0 ? this.from(1500, 4000) : this.from(1, 400);
  }

  some(low: number, high: number, make: () => string, separator: string): string {
    return Array.from({ length: this.from(low, high) }, make).join(separator);
  }
}

/** Prints lines of text. */
function source(c: Chooser): string {
  const n = c.lines();
  switch (c.below(8)) {
    case 0:
      return `seq ${c.from(0, 999)} ${c.from(1, 9)} ${c.from(1000, 4000)}`;
    case 1:
      return `seq ${n} | awk '{print ($1 * ${c.from(3, 99991)}) % ${c.from(7, 10007)}, $1, "${c.one(WORDS)}"}'`;
    case 2:
      return `awk 'BEGIN {srand(${c.from(1, 9999)}); for (i = 0; i < ${n}; i++) print int(rand() * ${c.from(5, 100000)})}'`;
    case 3:
      return `head -c ${c.from(1, 60000)} /bin/busybox | od -An -t${c.one(['x1', 'x2', 'u4', 'd8', 'o2', 'f4', 'f8', 'c'])}`;
    case 4:
      return `yes '${c.one(WORDS)} ${c.from(1, 99)}' | head -n ${n}`;
    case 5:
      return `tail -c ${c.from(1, 60000)} /bin/busybox | base64`;
    case 6:
      return `awk 'BEGIN {for (i = 1; i <= ${n}; i++) printf "%.${c.from(1, 17)}g %s\\n", ${float(c)}, "${c.one(WORDS)}"}'`;
    default:
      return `strings -n ${c.from(4, 9)} /bin/busybox | head -n ${n}`;
  }
}

/** An expression of awk with floating-point arithmetic, of the variable i. */
function float(c: Chooser): string {
  const term = (): string =>
    c.one([
      'i',
      `${c.from(1, 999)}.${c.from(0, 99)}`,
      `sin(i / ${c.from(1, 50)})`,
      'cos(i)',
      'sqrt(i)',
      'log(i)',
      `exp(-i / ${c.from(1, 90)})`,
      `atan2(i, ${c.from(1, 20)})`,
      `int(i / ${c.from(2, 9)})`,
      `i % ${c.from(2, 97)}.5`,
      `i ^ ${c.one(['2', '0.5', '-1.5'])}`,
    ]);
  return c.some(1, 4, term, c.one([' + ', ' * ', ' - ', ' / ', ' + 1 + ']));
}

/** Reads lines and prints lines. */
function filter(c: Chooser): string {
  const pattern = c.one([
    '[0-9]*1',
    '^.',
    'a',
    '[aeiou][^ ]',
    '5$',
    '[[:upper:]]',
    '(1|2)3*',
    '\\.',
  ]);
  switch (c.below(24)) {
    case 0:
      return `sort ${c.one(['', '-n', '-r', '-u', '-k2,2n -k1,1', '-k1,1r -s'])}`;
    case 1:
      return `grep ${c.one(['', '-v', '-i', '-n', '-c'])} -E '${pattern}'`;
    case 2:
      return `sed -E 's/${pattern}/<&>/${c.one(['', 'g', '2'])}'`;
    case 3:
      return `sed -n '${c.from(1, 9)},${c.from(10, 200)}{s/ /_/g;p}'`;
    case 4:
      return `tr ${c.one(["'a-m' 'n-z'", "-d '0-4'", "-s ' 0-9'", "'0-9' 'a-j'", "-c 'a-z0-9\\n' '?'"])}`;
    case 5:
      return `cut -${c.one(['c 1-7', 'c 2,4-', "d' ' -f1", "d' ' -f2-", 'b 3-30'])}`;
    case 6:
      return `awk '{s += $1; n++} {printf "%d %.10g\\n", NR, s / n}'`;
    case 7:
      return `awk '{c[length($0) % ${c.from(2, 30)}]++} END {for (k = 0; k < 30; k++) print k, c[k] + 0}'`;
    case 8:
      return `awk '{print toupper(substr($0, ${c.from(1, 5)}, ${c.from(1, 20)})), index($0, "1"), NF}'`;
    case 9:
      return `uniq ${c.one(['', '-c', '-d', '-u'])}`;
    case 10:
      return c.one([
        'rev',
        'tac',
        'nl',
        'fold -w 17',
        'expand',
        'cat -n',
        'paste - - -',
        'uniq -c',
      ]);
    case 11:
      return `head -n ${c.from(1, 300)}`;
    case 12:
      return `tail -n ${c.from(1, 300)}`;
    case 13:
      return `gzip -${c.from(1, 9)} | gunzip`;
    case 14:
      return `bzip2 -${c.from(1, 9)} | bunzip2`;
    case 15:
      return `xargs -n ${c.from(20, 90)} echo`;
    case 16:
      return `od -An -t${c.one(['x1', 'x8', 'd2', 'c'])}`;
    case 17:
      return 'base64 | base64 -d';
    case 18:
      return `xxd | ${c.one(['xxd -r', 'cut -c 10-50'])}`;
    case 19:
      return 'uuencode x | uudecode -o -';
    case 20:
      return `while IFS= read -r l; do n=$((n + \${#l})); done; echo $n`;
    case 21:
      return `awk '{for (i = NF; i > 0; i--) printf "%s ", $i; print ""}'`;
    case 22:
      return `tee /tmp/w/t | cat - /tmp/w/none 2>/dev/null | sort`;
    default:
      return `awk -v m=${c.from(2, 97)} '{x = (x * 31 + length($0)) % 65521; if (x % m == 0) print x, $0}'`;
  }
}

function digest(c: Chooser): string {
  return c.one([
    ...['sha256sum', 'sha512sum', 'sha1sum', 'sha3sum', 'md5sum', 'crc32', 'wc', 'sum || wc'],
    // Ten bytes of header hold the time.
    ...['gzip -9 | tail -c +11 | md5sum', 'bzip2 | md5sum', 'gzip -1 | tail -c +11 | wc -c'],
  ]);
}

function pipeline(c: Chooser): string {
  const parts = [source(c)];
  const filters = c.from(1, 4);
  for (let i = 0; i < filters; i++) parts.push(filter(c));
  parts.push(c.below(3) === 0 ? digest(c) : `head -c ${c.from(200, 3000)}`);
  return parts.join(' | ');
}

function arithmetic(c: Chooser): string {
  const number = () =>
    c.one([`${c.from(0, 9)}`, `${c.from(0, 70000)}`, `${c.from(1, 2 ** 30)}`, 'i']);
  const operator = () => c.one(['+', '-', '*', '^', '&', '|', '<<', '>>']);
  const n = c.from(5, 900);
  switch (c.below(7)) {
    case 0:
      return `i=${c.from(0, 9)}; a=1; while [ $i -lt ${n} ]; do i=$((i + 1)); a=$(((a ${operator()} ${number()}) ${operator()} (i + 1) % 63 + i)); done; echo $a`;
    case 1:
      return `for i in $(seq ${c.from(5, 60)}); do expr $i '*' ${c.from(2, 999)} % ${c.from(2, 99)}; done`;
    case 2:
      return `echo 'scale=${c.from(5, 60)}; ${c.from(2, 999)} / ${c.from(3, 97)}; sqrt(${c.from(2, 9999)}); ${c.from(2, 50)} ^ ${c.from(2, 90)}' | bc`;
    case 3:
      return `seq ${c.from(1, 1e6)} ${c.from(1, 999)} ${c.from(1e6, 1.02e6)} | head -n 200 | xargs factor`;
    case 4:
      return `f() { [ $1 -lt 2 ] && echo $1 || echo $(($(f $(($1 - 1))) + $(f $(($1 - 2))))); }; f ${c.from(3, 8)}`;
    case 5:
      return `awk 'function f(n) {return n < 2 ? n : f(n - 1) + f(n - 2)} BEGIN {print f(${c.from(8, 18)}); for (i = 1; i < ${n}; i++) s += ${float(c)}; printf "%.17g\\n", s}'`;
    default:
      return `for i in $(seq ${c.from(5, 80)}); do printf '%x %o %08.3f %s\\n' $((i * ${c.from(1, 9999)})) $i $i.${c.from(0, 99)} "${c.one(WORDS)}"; done`;
  }
}

function processes(c: Chooser): string {
  const n = c.from(2, 25);
  switch (c.below(5)) {
    case 0:
      return `for i in $(seq ${n}); do (exit $((i % 7))); echo $?; done`;
    case 1:
      return `for i in $(seq ${Math.ceil(n / 3)}); do (${pipeline(c)}) >/tmp/w/$i & done; wait; cat /tmp/w/*`;
    case 2:
      return `for i in $(seq ${n}); do sh -c 'echo $(($1 * $1)); kill -${c.one(['TERM', 'KILL', 'USR1'])} $$' sh $i; echo $?; done`;
    case 3:
      return `x=$(${pipeline(c)}); echo "\${#x} \${x%% *}"; set -- $x; echo $# | cat`;
    default:
      return `mkfifo /tmp/w/p; (${source(c)}) >/tmp/w/p & ${digest(c)} </tmp/w/p; wait`;
  }
}

function files(c: Chooser): string {
  const n = c.from(2, 40);
  const tree =
    `mkdir -p a/b a/c/d; for i in $(seq ${n}); do seq $i $((i * ${c.from(2, 20)})) >a/b/$i; ` +
    `echo "${c.one(WORDS)} $i" >a/c/d/f$((i % ${c.from(2, 30)})); done`;
  switch (c.below(7)) {
    case 0:
      return `${tree}; tar c a | tar t | sort | head -n 50; tar c a | (mkdir x; cd x; tar x; cat a/b/* a/c/d/* | md5sum)`;
    case 1:
      return `${tree}; find a -type f | sort | cpio -o -H newc 2>/dev/null | (mkdir x; cd x; cpio -id 2>/dev/null; find . -type f | sort | xargs sha1sum)`;
    case 2:
      return `${tree}; find a -name '*${c.from(0, 9)}*' -size -${c.from(1, 9)} | sort; du -a a | wc -l; rm -r a/c; find . | sort | tail -n 9`;
    case 3:
      return `${source(c)} >o; ${filter(c)} <o >p; diff o p >d; echo $?; head -c 500 d; cmp o p; wc o p d`;
    case 4:
      return `dd if=/bin/busybox of=o bs=${c.one(['512', '4k', '1000', '64k', '333'])} skip=${c.from(0, 9)} count=${c.from(1, 16)} ${c.one(['', 'conv=swab', 'conv=sync'])} 2>/dev/null; ${digest(c)} <o; split o 2>/dev/null; truncate -s ${c.from(0, 99999)} o; ${digest(c)} <o`;
    case 5:
      return `${tree}; tar cz a | tar tz | wc -l; for f in a/b/*; do mv $f $f.x; ln -s $f.x $f; done; cat a/b/*5 | cksum; ls a/b | head -n 20`;
    default:
      return `${source(c)} >o; cp o p; ${filter(c)} <o >>p; ${digest(c)} <p; ln o q; rm o; stat -c '%s %h %F' p q; test p -nt none; echo $?`;
  }
}

/** The command of that number. */
export function command(seed: number, number: number): string {
  const c = new Chooser(Math.imul(seed, 1_000_003) + number);
  const kinds = [pipeline, pipeline, pipeline, arithmetic, processes, files];
  return c.one(kinds)(c);
}
