# SPDX-License-Identifier: Apache-2.0
#
# coracle: build, check, install. `make help` lists the targets.
#
# CC, CFLAGS, LDFLAGS, PREFIX and DESTDIR belong to the user; what the code needs is in OWN_*.
# SAN=address,undefined builds everything that runs on the host with sanitizers, in a folder of its own.

MAKEFLAGS += -rR --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:

CC = gcc
CFLAGS = -O2 -g
LDFLAGS =
PREFIX = /usr/local
LIBEXECDIR = $(PREFIX)/libexec/coracle
MANDIR = $(PREFIX)/share/man
CONTAINERSDIR = /etc/containers
DESTDIR =
SAN =
V =
Q = $(if $(V),,@)

VERSION = 0.1.0
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

B = build$(if $(SAN),-san)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

OWN_WARN = -Wall -Wextra -Wconversion -Wshadow -Wvla -Wformat=2 -Wimplicit-fallthrough \
	-Wmissing-prototypes -Wstrict-prototypes -Wundef -Werror \
	$(if $(findstring clang,$(CC)),-Wconditional-uninitialized \
	-Wno-unused-command-line-argument,-Wno-format-truncation)
OWN_HARDEN = $(if $(SAN),,-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
	-fcf-protection=full) -fno-strict-overflow -fno-delete-null-pointer-checks
OWN_CPPFLAGS = -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DCORACLE_VERSION='"$(VERSION)"' \
	-DCORACLE_LIBEXECDIR='"$(LIBEXECDIR)"'
OWN_CFLAGS = -std=gnu17 $(OWN_WARN) $(OWN_HARDEN) -fPIE -MMD -MP \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
OWN_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack $(if $(SAN),-fsanitize=$(SAN))

# The guest's init: no libraries, no position independence, small.
INIT_CFLAGS = -std=gnu17 $(OWN_WARN) -Wno-missing-prototypes -ffreestanding -nostdlib -static -Os -g0 \
	-fno-stack-protector -fno-pie -no-pie -fno-asynchronous-unwind-tables -ffunction-sections -fcf-protection=none \
	$(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns) -I. -MMD -MP

SRC_base = runtime/base/err.c runtime/base/io.c runtime/base/log.c runtime/base/proc.c
SRC_oci = \
	oci/cap_names.c oci/features.c oci/hooks_doc.c oci/json.c oci/json_node.c oci/spec.c oci/spec_check.c \
	oci/spec_check_linux.c oci/spec_check_process.c oci/spec_check_resources.c oci/spec_parse.c \
	oci/spec_table.c oci/spec_table_linux.c oci/state.c oci/template.c oci/utf8.c
SRC_runtime = \
	runtime/asks.c runtime/caps.c runtime/cgroup.c runtime/cmd_check.c runtime/cmd_create.c \
	runtime/cmd_events.c runtime/cmd_exec.c runtime/cmd_initramfs.c runtime/cmd_manage.c \
	runtime/cmd_spec.c runtime/cmd_state.c runtime/cmd_update.c runtime/confine.c \
	runtime/console.c runtime/container.c runtime/ctl.c runtime/exec.c runtime/exec_process.c \
	runtime/execs.c runtime/ends.c runtime/foreground.c runtime/frames.c runtime/sockets.c runtime/idmount.c \
	runtime/guest_device.c runtime/guest_seccomp.c \
	runtime/hooks.c runtime/host.c runtime/idmap.c runtime/initramfs.c runtime/interrupt.c runtime/label.c runtime/launch.c \
	runtime/machine.c runtime/main.c runtime/monitor.c runtime/mountopt.c runtime/notify.c runtime/net.c runtime/net_end.c runtime/net_mirror.c runtime/net_helper.c runtime/netlink.c runtime/netlink_tc.c runtime/ns.c runtime/pasta.c runtime/oom.c \
	runtime/pause.c runtime/pin.c runtime/plan.c runtime/plan_mounts.c runtime/plan_print.c \
	runtime/plan_size.c runtime/preserve.c runtime/program.c runtime/proxy.c runtime/resources.c runtime/rootfs.c \
	runtime/sandbox.c runtime/sdbus.c runtime/share.c runtime/source.c runtime/state_record.c \
	runtime/statedir.c runtime/stats.c runtime/systemd.c runtime/tree.c runtime/update.c
SRC_vmm = \
	vmm/chain.c vmm/config.c vmm/fs.c vmm/fs_attr.c vmm/fs_budget.c vmm/fs_handle.c \
	vmm/fs_host.c vmm/fs_inode.c vmm/fs_names.c vmm/fs_ops_attr.c vmm/fs_ops_dir.c \
	vmm/fs_ops_fifo.c vmm/fs_ops_file.c vmm/fs_ops_lock.c vmm/fs_ops_make.c vmm/fs_ops_name.c vmm/fs_ops_xattr.c \
	vmm/fs_owner.c vmm/fs_table.c vmm/jail.c vmm/kvm.c vmm/loop.c vmm/memory.c vmm/net_frame.c \
	vmm/net_slots.c vmm/pause.c vmm/prefault.c vmm/seccomp.c vmm/stream.c vmm/thread.c vmm/vcpu.c vmm/virtio.c \
	vmm/virtio_balloon.c vmm/virtio_console.c vmm/virtio_fs.c vmm/virtio_mmio.c \
	vmm/virtio_net.c vmm/virtio_rng.c vmm/virtio_vsock.c vmm/virtq.c vmm/x86/acpi.c \
	vmm/x86/boot.c vmm/x86/bzimage.c vmm/x86/cpu.c vmm/x86/patched.c vmm/x86/tables.c
# Both sides of the border between namespace and guest run the same program.
SRC_mirror = \
	guest-init/mirror.c guest-init/mirror_diag.c guest-init/mirror_flow.c guest-init/mirror_port.c
SRC_init = \
	guest-init/ask.c guest-init/boot.c guest-init/cgroup.c guest-init/container.c \
	guest-init/copyup.c guest-init/devices.c guest-init/end.c guest-init/err.c \
	guest-init/exec.c guest-init/exec_child.c guest-init/fds.c guest-init/find.c guest-init/hooks.c guest-init/init.c \
	guest-init/link.c guest-init/mem.c guest-init/mirror_start.c $(SRC_mirror) guest-init/mounts.c guest-init/net.c guest-init/datagrams.c guest-init/sockets.c \
	guest-init/passed.c guest-init/notify.c guest-init/path.c \
	guest-init/process.c guest-init/program.c guest-init/ps.c guest-init/ps_parse.c \
	guest-init/relay.c guest-init/rtnl.c guest-init/str.c guest-init/start.S

LIBS_oci = -lyajl
LIBS_runtime = $(LIBS_oci) -lcap-ng -lseccomp -lm -lnl-route-3 -lnl-3
LIBS_vmm = -lcap-ng -lpthread

obj = $(addprefix $(B)/,$(addsuffix .o,$(basename $(1))))
init_obj = $(addprefix $(B)/init/,$(addsuffix .o,$(basename $(1))))

PROGRAMS = $(B)/coracle $(B)/coracle-vmm $(B)/coracle-init.cpio

all: $(PROGRAMS) $(B)/step

# A changed compiler or flag rebuilds everything.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS) $(OWN_CPPFLAGS) $(OWN_CFLAGS) $(INIT_CFLAGS)' | cmp -s - $@ || \
	echo '$(CC) $(CFLAGS) $(OWN_CPPFLAGS) $(OWN_CFLAGS) $(INIT_CFLAGS)' >$@

# A new commit rebuilds the two that name it.
$(B)/commit: FORCE
	@mkdir -p $(@D)
	@echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' >$@

$(B)/runtime/main.o $(B)/runtime/cmd_spec.o: $(B)/commit
$(B)/runtime/main.o $(B)/runtime/cmd_spec.o: private OWN_CPPFLAGS += -DCORACLE_COMMIT='"$(COMMIT)"'

$(B)/runtime/netlink.o $(B)/runtime/netlink_tc.o: private OWN_CPPFLAGS += -isystem /usr/include/libnl3

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/init/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(INIT_CFLAGS) -c -o $@ $<

$(B)/init/%.o: %.S $(B)/flags
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) $(INIT_CFLAGS) -c -o $@ $<

# The VMM's filters are compiled by libseccomp here rather than at each start.
$(B)/seccomp_compile: $(B)/vmm/seccomp_compile.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $^ -lseccomp
$(B)/gen/seccomp_filters.h: $(B)/seccomp_compile
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$< >$@
$(B)/vmm/seccomp.o: $(B)/gen/seccomp_filters.h
$(B)/vmm/seccomp.o: private OWN_CPPFLAGS += -I$(B)/gen
$(B)/gen/mirror_filter.h: $(B)/seccomp_compile
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$< mirror >$@
$(B)/runtime/net_mirror.o: $(B)/gen/mirror_filter.h
$(B)/runtime/net_mirror.o: private OWN_CPPFLAGS += -I$(B)/gen

# One archive a folder: the linker agrees with the layers.
$(B)/libbase.a: $(call obj,$(SRC_base))
$(B)/liboci.a: $(call obj,$(SRC_oci))
$(B)/libvmm.a: $(call obj,$(SRC_vmm))
$(B)/libruntime.a: $(call obj,$(filter-out runtime/main.c,$(SRC_runtime)) $(SRC_mirror))
$(B)/lib%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/coracle: $(B)/runtime/main.o $(B)/libruntime.a $(B)/liboci.a $(B)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_runtime)

$(B)/coracle-vmm: $(B)/vmm/main.o $(B)/libvmm.a $(B)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_vmm)

$(B)/coracle-init: $(call init_obj,$(SRC_init))
	$(call say,LD,$@)
	$(Q)$(CC) $(INIT_CFLAGS) -Wl,--gc-sections,-z,norelro,-z,noseparate-code,-z,noexecstack -Wl,--build-id=none \
	-s -o $@ $^

# An uncompressed archive whose bytes depend on the program alone.
$(B)/coracle-init.cpio: $(B)/coracle-init
	$(call say,CPIO,$@)
	$(Q)rm -rf $(B)/initrd && mkdir -p $(B)/initrd && install -m 755 $< $(B)/initrd/init && \
	touch -d @0 $(B)/initrd/init && (cd $(B)/initrd && echo init | \
	cpio -o -H newc -R 0:0 --reproducible --quiet) >$@

# ------------------------------------------------------------------ the guest's kernel

# Built once and kept by its contents outside the tree (kernel-config/README.md).
kernel: $(B)/vmlinux
$(B)/vmlinux: $(wildcard kernel-config/*.config kernel-config/patches/*) kernel-config/build.sh
	@mkdir -p $(@D)
	$(Q)kernel-config/build.sh $(B)
	@touch $@

# ------------------------------------------------------------------ tests

UNIT = \
	test_boot test_bzimage test_chain test_exec_process test_fs test_fs_fifo test_fs_hostile test_fs_state \
	test_fs_threads test_guest_seccomp test_hooks test_init_program test_init_ps test_init_text \
	test_idmount test_initramfs test_jail test_machine test_mirror test_mountopt test_net test_notify test_oci_check test_oci_json \
	test_oci_parse test_oci_state test_plan test_proto test_resources test_stats test_rootfs test_statedir \
	test_stream test_virtio_fs test_virtio_mmio test_virtq test_vm_config test_vsock
UNIT_BIN = $(addprefix $(B)/unit/,$(UNIT))
LIBS_unit = $(B)/libvmm.a $(B)/libruntime.a $(B)/liboci.a $(B)/libbase.a

# The parts of the init that make no system call run on the host too, with its C library: these tests link
# with them alone, since both sides have an err.c.
SRC_pure = $(addprefix guest-init/,program.c str.c err.c path.c find.c ps_parse.c)
UNIT_init = $(filter test_init_% test_proto%,$(UNIT))

$(B)/libpure.a: $(call obj,$(SRC_pure))

$(addprefix $(B)/unit/,$(UNIT_init)): LIBS_test = $(B)/libpure.a
$(addprefix $(B)/unit/,$(UNIT_init)): $(B)/libpure.a
$(B)/unit/%: LIBS_test = $(LIBS_unit) $(LIBS_runtime) $(LIBS_vmm)
$(B)/unit/%: tests/unit/%.c $(LIBS_unit)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $< \
	$(LIBS_test)

unit: $(UNIT_BIN)

# Kills a process of ours at its N-th system call: tests/cli/76-stepping.sh.
$(B)/step: tests/step/step.c $(B)/flags
	$(call say,LD,$@)
	$(Q)$(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) $(OWN_LDFLAGS) $(LDFLAGS) -o $@ $<

# Without KVM and without root: everything that runs on the host, with sanitizers.
check-unit:
	$(Q)$(MAKE) SAN=address,undefined CFLAGS='-O1 -g' unit
	$(Q)prove -Q -e '' $(addprefix build-san/unit/,$(UNIT))

# gcc and clang see different things.
check-clang:
	$(Q)$(MAKE) B=build-clang CC=clang build-clang/coracle build-clang/coracle-vmm \
	build-clang/coracle-init
	$(Q)for f in $(FUZZERS); do \
	clang $(OWN_CPPFLAGS) -std=gnu17 -Wno-missing-prototypes -fsyntax-only tests/fuzz/$$f.c || exit 1; done

# What is read at each start, and has no library in it.
INIT_MOST = 153600
check-size: $(B)/coracle-init
	$(Q)[ $$(stat -c %s $<) -le $(INIT_MOST) ] || { echo 'coracle-init: over $(INIT_MOST) bytes' >&2; exit 1; }

check-layers: check-lists
	$(Q)awk -f tests/layers.awk $$(git ls-files '*.[ch]')

# Every source is in one list above: a file that nobody builds is a mistake.
LISTED = $(sort $(SRC_base) $(SRC_oci) $(SRC_runtime) $(SRC_vmm) vmm/main.c vmm/seccomp_compile.c \
	$(filter %.c,$(SRC_init)) \
	$(UNIT:%=tests/unit/%.c) $(FUZZERS:%=tests/fuzz/%.c))
check-lists:
	@mkdir -p $(B)
	$(Q)git ls-files 'runtime/*.c' 'oci/*.c' 'vmm/*.c' 'guest-init/*.c' 'tests/unit/test_*.c' \
	'tests/fuzz/fuzz_*.c' | LC_ALL=C sort >$(B)/sources
	$(Q)[ -s $(B)/sources ] || { echo 'Makefile: git lists no files here: is this a clone, and yours?' >&2; exit 1; }
	$(Q)printf '%s\n' $(LISTED) | diff - $(B)/sources || \
	{ echo 'Makefile: its lists of sources and the tree differ (< listed, > there)' >&2; exit 1; }

check-headers:
	$(Q)for h in $$(git ls-files '*.h' | grep -v '^guest-init/'); do \
	echo "#include \"$$h\"" | $(CC) $(OWN_CPPFLAGS) -std=gnu17 -fsyntax-only -x c - || exit 1; done

# Reported, not enforced: what grows beyond a screen.
check-shape:
	$(Q)awk -f tests/shape.awk $$(git ls-files '*.c')

# Everything. Needs root (or sudo) for the bed; installs the packages that it needs.
check:
	$(Q)packaging/deps.sh all
	$(Q)$(MAKE) check-layers check-lists check-headers check-clang
	$(Q)$(MAKE) all kernel check-size
	$(Q)$(MAKE) SAN=address,undefined CFLAGS='-O1 -g' all unit
	$(Q)tests/check.sh

soak:
	$(Q)packaging/deps.sh all
	$(Q)$(MAKE) all kernel
	$(Q)tests/soak.sh

FUZZERS = \
	fuzz_bzimage fuzz_fuse fuzz_spec fuzz_virtq fuzz_vsock
FUZZ_SECONDS = 60

fuzz:
	$(Q)$(MAKE) B=build-fuzz CC=clang SAN=address,undefined,fuzzer-no-link CFLAGS='-O1 -g' fuzz-run

fuzz-run: $(addprefix $(B)/fuzz/,$(FUZZERS))
	$(Q)for f in $(FUZZERS); do mkdir -p $(B)/corpus/$$f; \
	$(B)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) $(B)/corpus/$$f || exit 1; done

$(B)/fuzz/%: tests/fuzz/%.c $(LIBS_unit)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(OWN_CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) -Wno-missing-prototypes -fsanitize=fuzzer -pie -o $@ $< \
	$(LIBS_unit) $(LIBS_runtime) $(LIBS_vmm)

# ------------------------------------------------------------------ for people

demo:
	$(Q)tests/demo.sh

bench:
	$(Q)packaging/deps.sh all
	$(Q)$(MAKE) all kernel
	$(Q)tests/bench/bench.sh

install: $(PROGRAMS)
	install -D -m 755 $(B)/coracle $(DESTDIR)$(PREFIX)/bin/coracle
	install -D -m 755 $(B)/coracle-vmm $(DESTDIR)$(LIBEXECDIR)/coracle-vmm
	install -D -m 644 $(B)/coracle-init.cpio $(DESTDIR)$(LIBEXECDIR)/coracle-init.cpio
	install -D -m 644 packaging/coracle.1 $(DESTDIR)$(MANDIR)/man1/coracle.1
	install -D -m 644 packaging/coracle.conf.5 $(DESTDIR)$(MANDIR)/man5/coracle.conf.5
	install -D -m 644 packaging/containers.conf.d/coracle.conf $(DESTDIR)$(CONTAINERSDIR)/containers.conf.d/coracle.conf
	[ ! -e $(B)/vmlinux ] || install -D -m 644 $(B)/vmlinux $(DESTDIR)$(LIBEXECDIR)/vmlinux

format:
	clang-format -i $$(git ls-files '*.[ch]')

clean:
	rm -rf build-san build-clang build-fuzz
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name bed -exec rm -rf {} +

help:
	@printf '%s\n' \
	'make             build coracle, coracle-vmm and the guest init' \
	'make kernel      build the guest kernel (minutes, once)' \
	'make demo        do everything and show a container in its microVM' \
	'make check       do all set-up for and run every test' \
	'make check-unit  unit tests with sanitizers: no root, no KVM' \
	'make bench       compare with crun, runc and QEMU in one run' \
	'make fuzz soak   what takes long' \
	'make install     PREFIX=$(PREFIX) DESTDIR=' \
	'make clean' \
	'' \
	'variables: CC CFLAGS LDFLAGS PREFIX DESTDIR SAN=address,undefined V=1'

FORCE:
.PHONY: FORCE all kernel unit check-unit check-clang check-layers check-lists check-headers check-shape check-size check soak fuzz \
	fuzz-run demo bench install format clean help

-include $(shell find $(B) -name '*.d' 2>/dev/null)
