# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The front door. meson does the work; see CONTRIBUTING.md for using it directly.

BUILDDIR ?= build
SUITE ?=
DESTDIR ?=

deps = tests/deps tests/deps.list
# All that is tested in user space alone needs no kernel, and no other machine.
kernel_deps = $(if $(filter teardown control introspection trustdomain isolation lab,$(or $(SUITE),lab)),kernel/deps.list tests/deps-s390x.list)

.PHONY: help demo check bench install clean kernel kernel-series lab

help:
	@echo 'make demo               show virtward protecting a real libvirt domain'
	@echo 'make check              build it and run every test'
	@echo 'make check SUITE=user   run the tests of one suite: user, teardown, trustdomain,'
	@echo '                        control, introspection, isolation'
	@echo 'make bench              compare it with libvirt-dbus and others; admission; count calls'
	@echo 'make kernel             build the patched kernels'
	@echo 'make kernel-series      write the patches as mails to $(BUILDDIR)/kernel-series'
	@echo 'make lab                boot the patched kernel with a hooked KVM guest, and a shell'
	@echo 'make install            install it ($(DESTDIR)/usr, $(DESTDIR)/etc)'
	@echo 'make clean              remove the build directories'
	@echo
	@echo 'As root, all of them install the Debian packages they need.'
	@echo 'BUILDDIR=$(BUILDDIR) is where it is built.'

demo:
	@$(deps)
	@tests/demo/demo $(BUILDDIR)

# tests/run must print the last line of all, so that what make itself says goes before it.
check:
	@$(deps) $(kernel_deps)
	@tests/run $(BUILDDIR) $(SUITE)

bench:
	@$(deps) tests/deps-bench.list kernel/deps.list
	@tests/bench/bench $(BUILDDIR)

kernel:
	@tests/deps kernel/deps.list
	kernel/build x86_64
	kernel/build s390x
	kernel/build s390x 6.1

kernel-series:
	@tests/deps kernel/deps.list
	kernel/series-mails $(BUILDDIR)/kernel-series

lab:
	@$(deps) kernel/deps.list
	@tests/build $(BUILDDIR)
	@tests/lab/shell $(BUILDDIR)

install:
	@$(deps)
	test -e $(BUILDDIR)/build.ninja || meson setup $(BUILDDIR)
	ninja -C $(BUILDDIR)
	DESTDIR=$(DESTDIR) meson install -C $(BUILDDIR) --no-rebuild

clean:
	rm -rf $(BUILDDIR) $(BUILDDIR)-sanitized $(BUILDDIR)-s390x $(BUILDDIR)-sid
