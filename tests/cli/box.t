A box from inside.

The command is PID 2, the init PID 1, and that is all there is:

  $ pidbox run -- sh -c 'echo $$ $PPID'
  2 1
  $ pidbox run -- sh -c 'ls /proc | grep -c "^[0-9]"'
  [34] (re)
  $ pidbox run -- ps -eo pid,ppid,args
  \s*PID +PPID COMMAND (re)
  \s*1 +0 .* (re)
  \s*2 +1 ps -eo pid,ppid,args (re)
  $ pidbox run --as-pid1 -- sh -c 'echo $$'
  1

The host name inside is its own:

  $ uname -n >before
  $ pidbox run --hostname crate -- uname -n
  crate
  $ pidbox run -- uname -n | diff before -
  $ uname -n | diff before -

The rest is the caller's: directory, environment, files, streams.

  $ pidbox run -- pwd | sed "s,^$PWD$,here,"
  here
  $ pidbox run -C /usr -- pwd
  /usr
  $ GREETING=hello pidbox run -- sh -c 'echo $GREETING'
  hello
  $ pidbox run -e GREETING=ahoy -- sh -c 'echo $GREETING'
  ahoy
  $ echo through | pidbox run -- cat
  through
  $ pidbox run -- sh -c 'echo made >file'; cat file
  made
  $ (umask 027; pidbox run -- sh -c umask)
  0027

Identity:

  $ test $(id -u) = $(pidbox run -- id -u)
  $ pidbox run --map root -- id -u
  0

In a pipeline:

  $ pidbox run -- seq 100000 | head -1
  1
  $ yes | pidbox run -- head -1
  y
  $ pidbox run -- seq 5 | pidbox run -- tail -1
  5

When it returns nothing is left, and what it left running is named when asked:

  $ pidbox run --report left.json -- sh -c 'daemonize 4711; exit 3'
  [3]
  $ grep -c '"command":\["daemonize","4711"\]' left.json
  1
