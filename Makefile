# SPDX-License-Identifier: BSD-3-Clause
#
# make            build everything into build/
# make demo       install what is missing, build, run examples/campus.yaml, show the result
# make demo-overlay   two hosts, one VLAN: VXLAN between two namespaces, shown and removed
# make check      install what is missing, build, run all tests
# make lint       formatting, static analysis, who-may-include-whom
# make debug      build with ASan and UBSan into build-debug/
# make tsan       the tests of several workers with ThreadSanitizer into build-tsan/
# make fuzz       build the fuzz targets (clang) into build-fuzz/
# make bench      measure the figures published in README.md
# make deps       install the Debian packages that are missing
# make deb        build a Debian package into build/deb/
# make install    DESTDIR= PREFIX=/usr/local; make uninstall
# make clean

B       ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
OPT     ?= -O2
BASE_CFLAGS := -std=gnu11 -g $(OPT) $(WARN) -MMD -MP -D_GNU_SOURCE -DNETLOOM_VERSION='"$(VERSION)"' \
	-DNETLOOM_LIBDIR='"$(PREFIX)/lib/netloom"' $(EXTRA_CFLAGS)
BASE_LDFLAGS := $(EXTRA_LDFLAGS)

# DPDK is linked statically, and only what we use: the shared build loads every driver plugin at start
# (23 MiB resident instead of 4).
DPDK_LIBDIR := $(shell pkg-config --variable=libdir libdpdk 2>/dev/null)
DPDK_CFLAGS  = $(shell pkg-config --cflags libdpdk 2>/dev/null) -DALLOW_EXPERIMENTAL_API
DPDK_PARTS  := eal vhost ring rcu hash mbuf mempool ethdev net cryptodev dmadev kvargs telemetry pci meter bpf
# Network cards for uplinks, in netloomd only: a driver that no card asks for costs its code on disk.
DPDK_DRIVERS := bus_pci bus_vdev net_virtio net_vmxnet3 net_ena net_e1000 net_igc net_ixgbe net_i40e net_iavf net_ice common_iavf
DPDK_CARDS   = -Wl,--whole-archive $(DPDK_DRIVERS:%=$(DPDK_LIBDIR)/librte_%.a) -Wl,--no-whole-archive \
	$(DPDK_LIBDIR)/librte_security.a $(DPDK_LIBDIR)/librte_timer.a $(DPDK_LIBDIR)/librte_net.a
DPDK_LIBS    = -Wl,--whole-archive $(DPDK_LIBDIR)/librte_mempool_ring.a -Wl,--no-whole-archive \
	-Wl,--start-group $(DPDK_PARTS:%=$(DPDK_LIBDIR)/librte_%.a) -Wl,--end-group -lbsd -lnuma -lm -ldl -lpthread

BASE_SRC     := $(wildcard datapath/base/*.c)
DATAPATH_SRC := $(wildcard datapath/*.c datapath/vhost/*.c datapath/pcap/*.c datapath/impair/*.c datapath/probe/*.c)
CONTROL_SRC  := $(filter-out control/netloomd.c,$(wildcard control/*.c)) $(wildcard control/rpc/*.c control/nl/*.c control/eyes/*.c)
VXLAN_SRC    := $(wildcard vxlan/*.c)
TAP_SRC      := $(wildcard tap/*.c)
TOPO_SRC     := $(wildcard control/topo/*.c)
HTTP_SRC     := $(wildcard control/http/*.c)
GRAPH_SRC    := $(wildcard control/graph/*.c)
WEB_SRC      := $(wildcard control/web/*.c)
LAB_SRC      := $(filter-out control/lab/netloom.c,$(wildcard control/lab/*.c))
VM_SRC       := $(filter-out vm-runner/main.c,$(wildcard vm-runner/*.c vm-runner/*/*.c))

obj = $(1:%.c=$(B)/obj/%.o)

PROGRAMS := $(B)/netloomd $(B)/netloom $(B)/vm-runner

# Microguests: freestanding programs for vm-runner, whatever the rest is built with
GUESTS       := $(B)/guests/traffic $(B)/guests/hostile $(B)/guests/pci_probe
GUEST_CFLAGS := -std=gnu11 -g -O3 $(WARN) -ffreestanding -nostdlib -static -fno-pic -no-pie -mno-red-zone \
	-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns \
	-Wl,-e,start -Wl,-Ttext-segment=0x200000 -Wl,--build-id=none -Ivm-runner

# V=1 shows whole command lines
Q    := $(if $(V),,@)
say   = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

BENCH_TOOLS := $(addprefix $(B)/bench/,distance wake spin witness.so)
all: $(PROGRAMS) $(GUESTS) $(BENCH_TOOLS)

$(addprefix $(B)/bench/,distance wake spin relay): $(B)/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)gcc $(BASE_CFLAGS) -o $@ $< -lpthread

# Goes into programs that are not ours, hence without what ours may be built with.
$(B)/bench/witness.so: bench/witness.c datapath/absence.c datapath/absence.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)gcc -std=gnu11 -g -O2 $(WARN) -D_GNU_SOURCE -fPIC -shared -Idatapath -o $@ $(filter %.c,$^) -ldl

$(B)/guests/traffic: tests/guests/traffic_send.c tests/guests/traffic_judge.c
$(B)/guests/hostile: tests/guests/hostile_packed.c
$(B)/guests/%: tests/guests/%.c tests/guests/guest.c tests/guests/nic.c tests/guests/nic_packed.c $(wildcard tests/guests/*.h) \
		vm-runner/x86/microguest_abi.h
	@mkdir -p $(@D)
	$(call say,GUEST,$@)
	$(Q)gcc $(GUEST_CFLAGS) -o $@ $(filter %.c,$^)

$(B)/obj/datapath/base/%.o: CFLAGS = $(BASE_CFLAGS) -Idatapath
$(B)/obj/datapath/%.o:      CFLAGS = $(BASE_CFLAGS) -Idatapath $(DPDK_CFLAGS)
$(B)/obj/vxlan/%.o:         CFLAGS = $(BASE_CFLAGS) -Idatapath
$(B)/obj/tap/%.o:           CFLAGS = $(BASE_CFLAGS) -Idatapath -I. $(DPDK_CFLAGS)
$(B)/obj/control/nl/%.o:    CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol -I. $(shell pkg-config --cflags libnl-route-3.0)
$(B)/obj/tests/unit/tap/%.o: CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol -I. -Itests $(DPDK_CFLAGS)
$(B)/obj/tests/unit/nl/%.o: CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol -I. -Itests
$(B)/obj/tests/unit/vxlan/%.o: CFLAGS = $(BASE_CFLAGS) -Idatapath -Ivxlan -Itests
$(B)/obj/control/http/%.o:  CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol
$(B)/obj/control/graph/%.o: CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol
$(B)/obj/control/web/%.o:   CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol
$(B)/obj/control/topo/%.o:  CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol
$(B)/obj/control/lab/%.o:   CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol
$(B)/obj/control/%.o:       CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol -I. $(DPDK_CFLAGS)
$(B)/obj/vm-runner/%.o:     CFLAGS = $(BASE_CFLAGS) -Idatapath -Ivm-runner
$(B)/obj/tests/unit/vm-runner/%.o: CFLAGS = $(BASE_CFLAGS) -Idatapath -Ivm-runner -Itests
$(B)/obj/tests/unit/%.o:    CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol -I. -Itests $(DPDK_CFLAGS)

# The page is a part of the program
$(B)/obj/control/web/files.o: $(wildcard web/*)

# What is compiled in changes with PREFIX and with VERSION
$(call obj,$(shell grep -l NETLOOM_LIBDIR $(LAB_SRC))): $(B)/prefix
$(call obj,$(shell grep -rl --include=*.c NETLOOM_VERSION control vm-runner)): $(B)/version
$(B)/prefix: IS = $(PREFIX)
$(B)/version: IS = $(VERSION)
$(B)/prefix $(B)/version: always
	@mkdir -p $(@D)
	@echo '$(IS)' | cmp -s - $@ || echo '$(IS)' >$@
always:

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -c $< -o $@

$(B)/lib%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/libbase.a:     $(call obj,$(BASE_SRC))
$(B)/libdatapath.a: $(call obj,$(DATAPATH_SRC))
$(B)/libcontrol.a:  $(call obj,$(CONTROL_SRC))
$(B)/libvxlan.a:    $(call obj,$(VXLAN_SRC))
$(B)/libtap.a:      $(call obj,$(TAP_SRC))
$(B)/libtopo.a:     $(call obj,$(TOPO_SRC))
$(B)/libhttp.a:     $(call obj,$(HTTP_SRC))
$(B)/libweb.a:      $(call obj,$(WEB_SRC))
$(B)/libgraph.a:    $(call obj,$(GRAPH_SRC))
$(B)/liblab.a:      $(call obj,$(LAB_SRC))
$(B)/libvm.a:       $(call obj,$(VM_SRC))

HTTP_LIBS    := -lmicrohttpd -levent_core
CONTROL_LIBS := -lpcap -ljansson -levent_core -lnl-route-3 -lnl-3
LAB_LIBS     := -lpcap -lyaml -ljansson -levent_core -lcrypto -lm
VM_LIBS      := -levent_core -ljansson -l:libcrypto.a -lseccomp -lcap-ng -llz4 -lz -llzma -lzstd -lpthread

$(B)/netloomd: $(B)/obj/control/netloomd.o $(B)/libcontrol.a $(B)/libhttp.a $(B)/libtap.a $(B)/libvxlan.a \
		$(B)/libdatapath.a $(B)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ $(DPDK_CARDS) $(DPDK_LIBS) $(CONTROL_LIBS) $(HTTP_LIBS)

$(B)/netloom: $(B)/obj/control/lab/netloom.o $(B)/libweb.a $(B)/liblab.a $(B)/libgraph.a $(B)/libtopo.a \
		$(B)/libhttp.a $(B)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ $(LAB_LIBS) $(HTTP_LIBS) -lpthread

$(B)/vm-runner: $(B)/obj/vm-runner/main.o $(B)/libvm.a $(B)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ $(VM_LIBS)

# One program per tests/unit/<folder>/test_<file>.c
UNIT_SRC   := $(wildcard tests/unit/*/test_*.c)
UNIT_TESTS := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
unit: $(UNIT_TESTS)

$(B)/unit/vm-runner/%: $(B)/obj/tests/unit/vm-runner/%.o $(B)/libvm.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ -lcmocka $(VM_LIBS)
$(B)/unit/vxlan/%: $(B)/obj/tests/unit/vxlan/%.o $(B)/libvxlan.a $(call obj,datapath/l4.c datapath/checksum.c datapath/drop.c) $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ -lcmocka
$(B)/unit/http/%: $(B)/obj/tests/unit/http/%.o $(B)/libhttp.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ -lcmocka $(HTTP_LIBS)
$(B)/unit/graph/%: $(B)/obj/tests/unit/graph/%.o $(B)/libgraph.a $(B)/libtopo.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ -lcmocka $(LAB_LIBS)
$(B)/unit/topo/%: $(B)/obj/tests/unit/topo/%.o $(B)/libtopo.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ -lcmocka $(LAB_LIBS)
$(B)/unit/lab/%: $(B)/obj/tests/unit/lab/%.o $(B)/liblab.a $(B)/libgraph.a $(B)/libtopo.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ -lcmocka $(LAB_LIBS)
$(B)/unit/datapath/%: $(B)/obj/tests/unit/datapath/%.o $(B)/libdatapath.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ -lcmocka $(DPDK_LIBS) -lpcap
$(B)/unit/%: $(B)/obj/tests/unit/%.o $(B)/libcontrol.a $(B)/libtap.a $(B)/libvxlan.a $(B)/libdatapath.a \
		$(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ -lcmocka $(DPDK_LIBS) $(CONTROL_LIBS)

SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# Sanitizers hide lengths from gcc, which then warns of truncation that cannot be; `all` warns of the real ones.
debug:
	$(MAKE) B=build-debug OPT=-O1 EXTRA_CFLAGS="$(SAN) -Wno-format-truncation" EXTRA_LDFLAGS="$(SAN)" all unit

# ThreadSanitizer sees DPDK's inline functions where they use the compiler's atomics, which they do for other CPUs, and not
# assembly; datapath/ORDERINGS.md says what it does not see. gcc cannot follow lengths behind it, as behind the others.
TSAN := -fsanitize=thread -DRTE_USE_C11_MEM_MODEL -DRTE_FORCE_INTRINSICS -Wno-tsan -Wno-maybe-uninitialized
TSAN_TESTS := datapath/test_worker_stress datapath/test_impair_moves datapath/test_fdb_race datapath/test_ring_race
tsan:
	$(MAKE) B=build-tsan OPT=-O1 EXTRA_CFLAGS="$(TSAN)" EXTRA_LDFLAGS=-fsanitize=thread $(TSAN_TESTS:%=build-tsan/unit/%)

# One fuzzer per tests/fuzz/fuzz_<what>.c; its first line names the libraries it is made of.
FUZZ_SRC   := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS    := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
FUZZ_PARTS  = $(patsubst control,control tap vxlan,$(shell sed -n '1s,.*links: *\([a-z ]*\).*,\1,p' $(1)))
FUZZ_LIBS   = $(foreach part,$(call FUZZ_PARTS,tests/fuzz/$(notdir $(1)).c),$(B)/lib$(part).a)
$(B)/obj/tests/fuzz/%.o:    CFLAGS = $(BASE_CFLAGS) -Idatapath -Icontrol -Ivm-runner -Ivxlan -I. -Itests $(DPDK_CFLAGS)
.SECONDEXPANSION:
$(FUZZERS): $(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $$(call FUZZ_LIBS,$$@)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(if $(filter %datapath.a,$^),$(DPDK_LIBS)) $(CONTROL_LIBS) $(LAB_LIBS) $(VM_LIBS)
fuzzers: $(FUZZERS)
fuzz:
	$(MAKE) B=build-fuzz CC=clang OPT=-O1 EXTRA_CFLAGS="-fsanitize=fuzzer-no-link $(SAN)" EXTRA_LDFLAGS="$(SAN)" fuzzers

deps:
	scripts/deps.sh

# What was just installed changes what the variables above say, hence the second make.
check:
	scripts/deps.sh
	$(MAKE) all bench-programs
	$(MAKE) debug
	$(MAKE) tsan
	$(MAKE) fuzz
	tests/run

lint:
	scripts/deps.sh --for build --for test --for lint
	scripts/lint.sh

demo:
	scripts/deps.sh --for build --for run
	$(MAKE) all
	scripts/demo.sh

demo-overlay:
	scripts/deps.sh --for build --for run
	$(MAKE) all
	BUILD=$(B) scripts/demo-overlay.sh

$(B)/obj/bench/%.o: CFLAGS = $(BASE_CFLAGS) -Idatapath $(DPDK_CFLAGS)
$(B)/bench/%: $(B)/obj/bench/%.o $(B)/libdatapath.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ $(DPDK_LIBS) -lpcap
$(B)/obj/bench/vtep/%.o: CFLAGS = $(BASE_CFLAGS) -Idatapath -I. $(DPDK_CFLAGS)
$(B)/bench/vtep: $(call obj,$(wildcard bench/vtep/*.c)) $(B)/libvxlan.a $(B)/libdatapath.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ $(DPDK_LIBS) -lpcap
$(B)/obj/bench/uplink.o: CFLAGS = $(BASE_CFLAGS) -Idatapath -I. $(DPDK_CFLAGS)
$(B)/bench/uplink: $(B)/obj/bench/uplink.o $(B)/libtap.a $(B)/libvxlan.a $(B)/libdatapath.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ $(DPDK_LIBS) -lpcap
$(B)/obj/bench/floor/%.o $(B)/obj/bench/floor/guests/%.o: CFLAGS = $(BASE_CFLAGS) -Ibench -Itests -Ivm-runner -Idatapath $(DPDK_CFLAGS)
$(B)/obj/bench/floor/guests/%.o: tests/guests/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<
$(B)/bench/floor: $(call obj,$(wildcard bench/floor/*.c)) \
		$(patsubst %,$(B)/obj/bench/floor/guests/%.o,nic nic_packed traffic_send traffic_judge) $(B)/libdatapath.a $(B)/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(BASE_LDFLAGS) -o $@ $^ $(DPDK_LIBS) -lpcap
bench-programs: all $(B)/bench/pipeline $(B)/bench/capture $(B)/bench/vtep $(B)/bench/uplink $(B)/bench/relay $(B)/bench/floor
bench:
	scripts/deps.sh
	$(MAKE) bench-programs
	$(B)/bench/pipeline
	$(B)/bench/capture
	BUILD=$(abspath $(B)) bench/ports-memory.sh
	BUILD=$(abspath $(B)) bench/lab.sh
	BUILD=$(abspath $(B)) bench/impair.py
	BUILD=$(abspath $(B)) bench/netloom-bench v2v --against ovs-dpdk,testpmd
	BUILD=$(abspath $(B)) bench/overlay
	BUILD=$(abspath $(B)) bench/uplink.py
	BUILD=$(abspath $(B)) bench/vmm-boot.sh

INSTALLED := $(DESTDIR)$(PREFIX)
install: all
	install -D -t $(INSTALLED)/bin $(PROGRAMS)
	install -D -t $(INSTALLED)/lib/netloom control/lab/image/netloom-image
	install -D -m 644 -t $(INSTALLED)/lib/netloom control/lab/image/modules.list
	install -D -t $(INSTALLED)/lib/netloom/guest $(filter-out %/fstab %/shrc,$(wildcard control/lab/image/guest/*))
	install -D -m 644 -t $(INSTALLED)/lib/netloom/guest control/lab/image/guest/fstab control/lab/image/guest/shrc
	install -D -t $(INSTALLED)/lib/netloom/bench bench/netloom-bench
	install -D -m 644 -t $(INSTALLED)/lib/netloom/bench tests/guests/traffic.py tests/e2e/testpmd.py
	install -D -m 644 -t $(INSTALLED)/lib/netloom/bench/netbench bench/netbench/*.py
	install -D -t $(INSTALLED)/lib/netloom/bench/guests $(B)/guests/traffic
	install -D -t $(INSTALLED)/lib/netloom/bench/bench $(BENCH_TOOLS)
	install -D -m 644 -t $(INSTALLED)/share/netloom/examples examples/*.yaml
	install -D -m 644 -t $(INSTALLED)/share/doc/netloom README.md LICENSE

deb:
	scripts/deps.sh --for build --for package
	debian/rules binary DEB_DEST=$(CURDIR)/build/deb
	debian/rules clean
	@ls -l build/deb

uninstall:
	rm -f $(PROGRAMS:$(B)/%=$(INSTALLED)/bin/%)
	rm -rf $(INSTALLED)/lib/netloom $(INSTALLED)/share/netloom $(INSTALLED)/share/doc/netloom

clean:
	rm -rf build build-debug build-tsan build-fuzz build-clang

.SECONDARY:
.PHONY: bench-programs always all unit debug tsan fuzzers fuzz deps check lint demo demo-overlay bench deb install uninstall clean
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
