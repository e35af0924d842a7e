# modes: user
Usage errors: one error of three lines, status 125.

  $ pidbox run --no-such-option -- true
  pidbox: .* \[USAGE\] (re)
    why: *--no-such-option* (glob)
    fix: * (glob)
  [125]
  $ pidbox no-such-verb
  pidbox: .* \[USAGE\] (re)
    why: *no-such-verb* (glob)
    fix: * (glob)
  [125]

Another tool's word for it names ours:

  $ pidbox run --workdir /usr -- pwd
  pidbox: .* \[USAGE\] (re)
    why: *--workdir* (glob)
    fix: .*--chdir.* (re)
  [125]
  $ pidbox run --as-pid1 --on-exit wait -- true
  pidbox: .*\[USAGE\] (re)
    why: * (glob)
    fix: * (glob)
  [125]

Options end at the first operand:

  $ pidbox run echo --no-such-option
  --no-such-option
  $ pidbox run -- echo -- a
  -- a

Version and help go to standard output:

  $ pidbox --version 2>/dev/null | head -1
  pidbox 0.* (glob)
  $ pidbox run --help 2>/dev/null | grep -c -e --report -e --timeout -e --hostname -e --as-pid1
  ([4-9]|\d\d) (re)

What cannot be printed is an error of its own, whatever the verb (write(2)):

  $ pidbox version >/dev/full
  pidbox: writing to standard output: No space left on device
    why: * (glob)
    fix: * (glob)
  [125]
  $ pidbox --version >&-
  pidbox: writing to standard output: Bad file descriptor
    why: * (glob)
    fix: * (glob)
  [125]
  $ pidbox help >/dev/full
  pidbox: writing to standard output: No space left on device
    why: * (glob)
    fix: * (glob)
  [125]
  $ pidbox run --help >/dev/full
  pidbox: writing to standard output: No space left on device
    why: * (glob)
    fix: * (glob)
  [125]
  $ pidbox run --dry-run true >/dev/full
  pidbox: writing to standard output: No space left on device
    why: * (glob)
    fix: * (glob)
  [125]

Doctor takes no operands, and one thing to do:

  $ pidbox doctor box
  pidbox: .* \[USAGE\] (re)
    why: *box* (glob)
    fix: * (glob)
  [125]
  $ pidbox doctor --fix
  pidbox: .* \[USAGE\] (re)
    why: *--fix* (glob)
    fix: * (glob)
  [125]
  $ pidbox doctor --semantics --remove-apparmor
  pidbox: .* \[USAGE\] (re)
    why: * (glob)
    fix: give one of them
  [125]
  $ pidbox help doctor | head -1
  usage: pidbox doctor * (glob)
  $ pidbox doctr
  pidbox: .* \[USAGE\] (re)
    why: *doctr* (glob)
    fix: *pidbox doctor* (glob)
  [125]

Options of run belong behind the verb, and help knows only what there is:

  $ pidbox -x true
  pidbox: .* \[USAGE\] (re)
    why: unknown option -x
    fix: *pidbox run -x* (glob)
  [125]
  $ pidbox help bogus
  pidbox: .* \[USAGE\] (re)
    why: *bogus* (glob)
    fix: *pidbox help* (glob)
  [125]
  $ pidbox help --bogus
  pidbox: .* \[USAGE\] (re)
    why: *--bogus* (glob)
    fix: * (glob)
  [125]
  $ pidbox help run | head -1
  usage: pidbox run * (glob)
  $ pidbox help help | head -1
  usage: pidbox VERB * (glob)
  $ pidbox run --version | head -1
  pidbox 0.* (glob)
  $ pidbox run -V | head -1
  pidbox 0.* (glob)
  $ pidbox run -- sh -c 'echo "$1"' sh --version
  --version
