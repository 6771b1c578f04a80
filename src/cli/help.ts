/** What `--help` prints, for the whole and for each command. */
export const help = {
  main: `Usage: tabvisor COMMAND [OPTION]...

Runs RISC-V guests in this terminal, on the machine that also runs in a browser tab.

Commands:
  run         boot a guest, a kernel, firmware or a bare-metal program
  up          bring up several guests that a lab file describes
  ps, exec, logs, down, update
              ask a lab that is up
  profile     run a guest, then show where it spent its instructions
  snapshot    show, check or compare machines that were saved
  templates   list the guests that can be started by name
  disasm      disassemble RISC-V code
  disk        copy the disk of an overlay out to a raw image, or a raw image in

"tabvisor COMMAND --help" says more about each; "tabvisor --version" prints the version.
`,
  up: `Usage: tabvisor up FILE [OPTION]...

Brings up the guests of a lab file (docs/labs.md), each in a thread of its own, in their order, and
stays until they have ended, Ctrl-C or "tabvisor down".

  --exec VM:CMD   run a command when all are ready, then end; may be given again; the exit code is
                  that of the first that fails
  --timeout S     end after S seconds, with code 124
  --json          one line of JSON on stdout at the end; what guests say goes to stderr
  --metrics PORT  OpenMetrics text at http://127.0.0.1:PORT/metrics; 0 takes a port that is free
  --cpus N        let the guests share N processors of this computer, such as 0.75; all but a
                  quarter of one unless given
  --name LAB      another name than the file's, for several labs at once
`,
  lab: `Usage: tabvisor ps|exec|logs|down|update [--name LAB] ...

  ps                          the guests of the lab that is up
  exec VM COMMAND             run a command in a guest, with its exit code
  logs [VM]                   what the console of one, or of all, has said last
  down                        end the lab
  update [--batch N] FILE     replace the guests that FILE describes in another way, N at a time
                              (or as many as its update.batch says, or one);
                              when one does not become ready, all are as before
`,
  run: `Usage: tabvisor run [OPTION]...

Boots a guest with its console on this terminal. Ctrl-A X ends it, Ctrl-A H helps.

What to boot (the template "micro" unless one of these is given):
  --template NAME     a guest image, see "tabvisor templates"
  --kernel FILE       a Linux kernel for riscv64, as uncompressed Image
  --initrd FILE       the initial RAM disk that belongs to --kernel
  --append STR        the kernel's command line; with a template, added to its own
  --elf FILE          a bare-metal ELF program, started in machine mode; the exit code is what it
                      writes to tohost
  --cold              boot the kernel, where the template would start from its snapshot
  --snapshot FILE     go on from a machine that --save has written; what it writes to its disks is
                      gone at the end
  --firmware FILE     firmware such as OpenSBI's fw_dynamic.bin, started in machine mode, which
                      then starts the kernel

The machine:
  --memory SIZE       256M, 1G, ...: from 1M (96M for Linux) to 2G
  --memory-target SIZE
                      what the guest is to get by with: it gives the rest back while it runs
  --disk FILE[,ro][,iops=N][,bandwidth=SIZE][,burst=S]
                      a disk image as virtio disk, read-only with ",ro", within limits of its own;
                      up to six times
  --image MANIFEST    a disk image in chunks, as the first disk; it is only read
  --overlay FOLDER[,SIZE]
                      keeps what the guest writes over --image, or, without one, to a blank disk
                      of SIZE (1G unless given); without --overlay that is gone at the end
  --share FOLDER[:ro] a folder of this computer as /mnt/shared in the guest, read-only with ":ro";
                      symbolic links are never followed out of it
  --tier NAME         what runs the guest's code: "interpreter", "translator" (all that runs more
                      than once becomes WebAssembly) or "both" (what is hot does; the default)
  --lockstep          run the guest twice, interpreted and translated, and compare all state
                      after each slice; no disks, no shares, and stdin is empty; exit code 1 when
                      the two differ
  --without LIST      translate as if WebAssembly here had no "tail-calls" or no
                      "fused-multiply-add" (a comma between them): slower, with the same results

What it may take of this computer:
  --preset NAME       tiny (96M, half a processor), small, standard or large: memory and limits;
                      what is given beside it comes first
  --cpu-cap PERCENT   of one processor, from 1 to 100
  --cpu-weight N      its share beside other runs that are busy, from 1 to 1000 (100 unless given;
                      more takes the right to lower niceness)
  --harts N           processors of the guest: 1 for now
  --disk-iops N       operations a second of all its disks together
  --disk-bandwidth SIZE
                      bytes a second of all its disks together, as in 10M
  --disk-burst S      seconds of both that idle disks save up (1 unless given)

What to do:
  --exec CMD          run CMD in the guest's shell instead: prints exactly what it prints, passes
                      stdin to it, and ends with its exit code
  --save FILE         with --exec: then write the machine as it is to FILE (.tabvm)
  --timeout S         give up after S seconds, with exit code 124
  --stats             print figures as one JSON object on stderr at the end
  --trace             print every instruction, with its address, on stderr (slow)

The figures of --stats: wall_s (seconds of running), boot_s (until the shell speaks), instructions,
mips (millions in a second of work), used_s (in which it ran), idle_s, steal_s (in which it would
have run and was not let), ram_bytes (of RAM that hold something), memory_bytes, console_bytes;
memory: target_bytes, actual_bytes (what the guest confirms), balloon (whether it has the driver),
inflated_bytes (given back), reported_bytes (free memory that was emptied), guest (what its kernel
says: total, free, available, cached); disks: for each what it did, its bytes, errors, latency_ms
(all requests together) and worst_ms; agent, where the guest has one: load, processes, uptime, file
system, top;
since the last reset interpreted_instructions, translated_instructions, tlb_misses (walks of page
tables), traps, interrupts; translator, where it is on: regions, library_regions (of those made
ahead of time), modules, code_bytes, translate_ms (finding and emitting), compile_ms (the engine's),
invalidations (pages whose code was dropped), evictions (times that all code was).

Exit codes: that of CMD or of the program; 0 when the guest powered itself off, also while CMD
runs; 1 when it crashed, or rebooted while CMD ran; 2 for wrong arguments and files that cannot be
used; 124 after --timeout.
`,
  profile: `Usage: tabvisor profile [OPTION]...

Runs a guest as "tabvisor run" does, with the same options, and then shows on stdout where it was.
What the command of --exec prints goes to stderr, and only its own time counts, not the boot's.

  --top N             rows to show (20 unless given)
  --by NAME           what a row is: "function" (256 bytes where no symbol is known; the default)
                      or "address" (a single instruction)
  --json              the rows as one JSON object
  --region WHERE      instead of the table: the code around a hot address (in hexadecimal) or a
                      symbol, with the WebAssembly that it is translated to
  --boot              with --exec: count the boot too
  --interval N        instructions between two samples, on average (20000 unless given)

What is measured: after a random number of instructions, where the guest is then. "share" is the
share of these samples, so of the instructions that ran; "instructions" is that share of all of
them. "time" is the share of the time: that since the last sample counts for the place where the
next one finds the guest. "tier" says what ran the instructions up to the samples, mostly: the
interpreter, translated code, or both. Time in which the guest waits is in neither.

Symbols are the kernel's own (kallsyms) or those of --elf. Programs in the guest have none that
are known outside: they show as "user", and modules of the kernel as "kernel".
`,
  snapshot: `Usage: tabvisor snapshot info|verify FILE
       tabvisor snapshot diff FILE FILE

info says what a machine that "run --save" or the page has written is, verify reads and checks all
of it, diff names what differs between two (what the machines are, their registers and devices, the
addresses of RAM, places of disks): exit code 0 when nothing does, 1 otherwise.
`,
  templates: `Usage: tabvisor templates

Lists the guests that "tabvisor run --template NAME" can start.
`,
  disk: `Usage: tabvisor disk export FOLDER FILE [--image MANIFEST]
       tabvisor disk import FILE FOLDER

Copies the disk that "tabvisor run --overlay FOLDER" writes to out to FILE, a raw image with holes
where there are zeroes; --image names the image that the overlay was made with. Or makes a new
overlay FOLDER of the raw image FILE.
`,
  disasm: `Usage: tabvisor disasm FILE|HEX...

Disassembles RISC-V code: ELF files of any kind (their executable sections, at the addresses that
the file gives them), other files as plain code from address 0, and instruction words in
hexadecimal, such as 00a50533 or 0x8082.
`,
  keys: `
Ctrl-A X   end the machine, at once
Ctrl-A H   this help
Ctrl-A A   send Ctrl-A to the guest
`,
} as const;
