# SPDX-License-Identifier: MIT
# A thin front of meson. `make run` and `make test` do all the set-up on a fresh Debian or Ubuntu machine.

BUILD = build

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/setup build
	meson setup $(BUILD) $(MESONFLAGS)

run: all
	@tools/setup run
	$(BUILD)/pidbox run -- ps -ef

# Unit tests, the library's, faults, sessions of the command line in three kinds of user, the examples.
test: all
	@tools/setup test
	tools/test $(TESTFLAGS)

# Real programs in a box: a C project's make -j, CPython's own tests, redis, nginx, an editor in a terminal.
test-work: all
	@tools/setup test
	tests/work/run

# Every system call of the set-up fails or is the front's last.
test-faults: all
	@tools/setup test
	tests/faults/run

# Foreign bytes for whatever reads some; SECONDS for each fuzzer.
SECONDS = 300
test-fuzz: all
	@tools/setup fuzz
	tests/fuzz/run $(SECONDS)

# Sessions on stock kernels, in virtual machines; KERNELS=5.10,6.12 for some of them.
KERNELS =
test-kernels: all
	@tools/setup vm
	tests/vm/run $(if $(KERNELS),--kernels $(KERNELS))

check: all
	@tools/setup check
	tools/check

# All of docs/BENCHMARKS.md: as root, for twenty minutes; BENCHFLAGS=--quick tries it out and writes nothing.
bench: all
	@tools/setup bench
	bench/run $(BENCHFLAGS) $(BUILD)

install: all
	meson install -C $(BUILD)

clean:
	rm -rf build build-*

.PHONY: all run test test-work test-faults test-fuzz test-kernels check bench install clean
