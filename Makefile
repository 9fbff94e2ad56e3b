# SPDX-License-Identifier: Apache-2.0
#
# A thin front for meson and the tools: see `make help`.
# Nothing here needs more than make and a shell; tools/setup installs the rest.

.PHONY: build demo check check-long check-qemu bench bench-interop fuzz install clean format help
.DEFAULT_GOAL := build

# Where to build, as in the Linux kernel: two people working in one tree take two of them.
O ?= build
export O
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
# Under PREFIX. meson's own guess is lib64 where dpkg-dev is missing, and no Debian looks there.
LIBDIR ?= lib
DESTDIR ?=

build: ## build everything into build/ (the command is build/weir)
	@tools/setup build
	@tools/configure $(O)/gcc
	@ninja -C $(O)/gcc
	@test ! -x $(O)/gcc/src/weir || ln -sfn gcc/src/weir $(O)/weir

demo: ## build, then show the stack at work
	@tools/setup build demo
	@tools/configure $(O)/gcc
	@ninja -C $(O)/gcc --quiet src/weir
	@ln -sfn gcc/src/weir $(O)/weir
	@$(O)/weir demo

check: ## every test and every law, in minutes; the last line is "N passed, N failed"
	@tools/setup build check
	@tools/check

check-long: ## check, and then thread sanitizer, memcheck, longer fuzzing, more seeds
	@tools/setup build check long
	@tools/check --long

check-qemu: ## in a virtual machine: weir drives a network card by itself and fetches pages
	@tools/setup build qemu
	@tools/configure $(O)/gcc
	@ninja -C $(O)/gcc --quiet src/weir
	@tests/qemu/check

bench: ## run the benchmarks
	@tools/setup build demo
	@tools/configure $(O)/gcc
	@ninja -C $(O)/gcc --quiet
	@tools/bench

bench-interop: ## weir beside the kernel over lossy links (root; ARGS=--quick)
	@tools/setup build check
	@tools/configure $(O)/gcc
	@ninja -C $(O)/gcc --quiet src/weir
	@WEIR_BUILD=$(abspath $(O))/gcc bench/interop $(ARGS)

fuzz: ## run every fuzz target for FUZZ_SECONDS (60)
	@tools/setup build check
	@tools/fuzz --seconds $(FUZZ_SECONDS)

install: build ## install the command, the library, headers and manual (PREFIX, LIBDIR, DESTDIR)
	@meson configure $(O)/gcc -Dprefix=$(abspath $(PREFIX)) -Dlibdir=$(LIBDIR)
	@DESTDIR=$(DESTDIR) meson install -C $(O)/gcc
	@test -n "$(DESTDIR)" || test "$$(id -u)" != 0 || ldconfig

clean: ## remove build/
	rm -rf $(O)

format: ## clang-format every C file of ours
	@tools/setup format
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs -r clang-format -i

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
