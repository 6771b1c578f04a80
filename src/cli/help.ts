/** What `--help` prints, for the whole and for each command. */
export const help = {
  main: `Usage: tabvisor COMMAND [OPTION]...

Runs RISC-V guests in this terminal, on the machine that also runs in a browser tab.

Commands:
  run         boot a guest, a kernel, firmware or a bare-metal program
  templates   list the guests that can be started by name
  disasm      disassemble RISC-V code

"tabvisor COMMAND --help" says more about each; "tabvisor --version" prints the version.
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
  --firmware FILE     firmware such as OpenSBI's fw_dynamic.bin, started in machine mode, which
                      then starts the kernel

The machine:
  --memory SIZE       256M, 1G, ...: from 1M (96M for Linux) to 2G
  --disk FILE[,ro]    a disk image as virtio disk, read-only with ",ro"; up to six times
  --tier NAME         what runs the guest's code: "interpreter", "translator" (all that runs more
                      than once becomes WebAssembly) or "both" (what is hot does; the default)
  --lockstep          run the guest twice, interpreted and translated, and compare all state
                      after each slice; no disks, and stdin is empty; exit code 1 when the two
                      differ
  --without LIST      translate as if WebAssembly here had no "tail-calls" or no
                      "fused-multiply-add" (a comma between them): slower, with the same results

What to do:
  --exec CMD          run CMD in the guest's shell instead: prints exactly what it prints, passes
                      stdin to it, and ends with its exit code
  --timeout S         give up after S seconds, with exit code 124
  --stats             print figures as one JSON object on stderr at the end
  --trace             print every instruction, with its address, on stderr (slow)

Exit codes: that of CMD or of the program; 0 when the guest powered itself off, also while CMD
runs; 1 when it crashed, or rebooted while CMD ran; 2 for wrong arguments and files that cannot be
used; 124 after --timeout.
`,
  templates: `Usage: tabvisor templates

Lists the guests that "tabvisor run --template NAME" can start.
`,
  disasm: `Usage: tabvisor disasm FILE|HEX...

Disassembles RISC-V code: ELF files (their executable parts), other files as plain code from
address 0, and instruction words in hexadecimal, such as 00a50533 or 0x8082.
`,
  keys: `
Ctrl-A X   end the machine, at once
Ctrl-A H   this help
Ctrl-A A   send Ctrl-A to the guest
`,
} as const;
