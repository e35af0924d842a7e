Exit statuses.

A command's own status is unchanged:

  $ pidbox run -- true
  $ pidbox run -- false
  [1]
  $ pidbox run -- sh -c 'exit 42'
  [42]
  $ pidbox run sh -c 'exit 255'
  [255]

The same signal, so that the shell shows 128+n:

  $ pidbox run -- sh -c 'kill -TERM $$'
  .*Terminated.* (re)
  [143]
  $ pidbox run -- sh -c 'kill -KILL $$'
  .*Killed.* (re)
  [137]

124 when a time limit ended it, however the command reacted:

  $ pidbox run --timeout 100ms -- sleep 100
  [124]
  $ pidbox run --timeout 0.1 -- sh -c 'trap "exit 0" TERM; while :; do sleep 0.01; done'
  [124]

127 not found, 126 found but not to be executed, 125 pidbox itself:

  $ pidbox run -- no-such-command
  pidbox: .*no-such-command.* \[NOT_FOUND\] (re)
    why: * (glob)
    fix: * (glob)
  [127]
  $ pidbox run -- /usr
  pidbox: */usr*: Permission denied* (glob)
    why: * (glob)
    fix: * (glob)
  [126]
  $ pidbox run -C /no/such/place -- true
  pidbox: .*/no/such/place.*: No such file or directory( \[NOT_FOUND\])? (re)
    why: * (glob)
    fix: * (glob)
  [125]

123 with --fail-on-leak, the command itself succeeded, and something had outlived it:

  $ pidbox run --fail-on-leak -- sh -c 'daemonize 99; exit 0' 2>err
  [123]
  $ grep -c 'daemonize 99' err
  [1-9] (re)
  $ pidbox run --fail-on-leak -- sh -c 'daemonize 99; exit 5' 2>err
  [5]
  $ pidbox run --fail-on-leak -- true
