/**
 * Rows that run in the template `debian`: what people start there, doing work of a second or more on
 * QEMU. As for all rows, what is printed must be the same everywhere, so nothing in it is random or
 * depends on a clock.
 */
import type { Row } from './rows.ts';

const python = `
import json, re, sys
x, words = 1, {}
for i in range(int(sys.argv[1])):
    x = (x * 1103515245 + 12345) % 2147483648
    key = "w%d" % (x >> 8 & 8191)
    words[key] = words.get(key, 0) + i
text = json.dumps(sorted(words.items()))
print(len(re.findall(r"w\\d*7", text)), sum(count for _, count in json.loads(text)))`;

const perl = `
my ($x, %words) = (1);
for my $i (1 .. $ARGV[0]) {
  $x = ($x * 1103515245 + 12345) % 2147483648;
  my $line = "key" . ($x >> 8 & 8191) . "=" . $i;
  $words{$1} += $2 if $line =~ /^(\\w+)=(\\d+)$/;
}
my $text = join ",", map { "$_:$words{$_}" } sort keys %words;
(my $copy = $text) =~ s/(\\d)(\\d)/$2$1/g;
print length($text), " ", substr($copy, 0, 40), "\\n";`;

/** Functions that a compiler has something to do with. */
const cSource =
  '{ echo "#include <stdio.h>"; i=0; while [ $i -lt $size ]; do ' +
  'echo "static int f$i(int a, int b) { int s = $i; for (int i = 0; i < a; i++) ' +
  'if ((i ^ b) % 7 < 3) s += i * b; else s -= a / (i + 1); return s; }"; i=$((i+1)); done; ' +
  'echo "int main(void) { int s = 0;"; i=0; while [ $i -lt $size ]; do ' +
  'echo "s += f$i(s & 31, $i);"; i=$((i+1)); done; ' +
  'echo "printf(\\"%d\\n\\", s); return 0; }"; } >/tmp/bench.c';

const sql =
  'create table t(id integer primary key, k integer, v text); ' +
  'with recursive n(i) as (select 1 union all select i + 1 from n where i < $size) ' +
  "insert into t select i, (i * 7919) % 1009, 'text ' || i from n; create index x on t(k); " +
  'select k, count(*), sum(length(v)) from t group by k having k % 100 = 0 order by k; ' +
  'update t set v = v || k where k < 100; select count(*) from t a join t b on a.k = b.id;';

export const DEBIAN_ROWS: readonly Row[] = [
  {
    name: 'python3',
    guest: 'debian',
    what: '100,000 steps of a loop over a dictionary, then JSON and a regular expression, in Python',
    full: 100_000,
    quick: 1000,
    repetitions: 1,
    run: `python3 -c '${python}' $size`,
  },
  {
    name: 'perl',
    guest: 'debian',
    what: '100,000 lines matched and counted in a hash, in Perl',
    full: 100_000,
    quick: 1000,
    repetitions: 1,
    run: `perl -e '${perl}' $size`,
  },
  {
    name: 'gcc',
    guest: 'debian',
    what: 'a C program of 30 functions compiled with -O2, linked and run',
    full: 30,
    quick: 2,
    repetitions: 1,
    prepare: cSource,
    run: 'gcc -O2 -o /tmp/bench.program /tmp/bench.c && /tmp/bench.program',
  },
  {
    name: 'sqlite3',
    guest: 'debian',
    what: '60,000 rows inserted, indexed, grouped, changed and joined in memory by SQLite',
    full: 60_000,
    quick: 1000,
    repetitions: 1,
    run: `sqlite3 :memory: "${sql}"`,
  },
  {
    name: 'openssl',
    guest: 'debian',
    what: '16 MiB through AES-256-CBC and SHA-512, and 10 signatures of RSA-2048 made and verified',
    full: 10,
    quick: 1,
    repetitions: 1,
    prepare:
      'cd /tmp; openssl genrsa -out bench.key 2048; openssl rsa -in bench.key -pubout -out bench.pub',
    run:
      'cd /tmp; head -c $((size * 1677722)) /dev/zero | ' +
      'openssl enc -aes-256-cbc -K 00112233 -iv 00 | openssl dgst -sha512; i=0; ' +
      'while [ $i -lt $size ]; do echo $i >bench.in; ' +
      'openssl dgst -sha256 -sign bench.key -out bench.signature bench.in; ' +
      'openssl dgst -sha256 -verify bench.pub -signature bench.signature bench.in; i=$((i+1)); done',
  },
];
