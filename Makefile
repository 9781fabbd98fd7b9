# The two commands: `make run` shows the daemon at work on this machine, `make check` tests everything.
# `make help` lists the rest.

# Where things go. Units lie under PREFIX, where systemd looks for them both in /usr and in /usr/local; the
# configuration is always the one of the machine. DESTDIR is for packages.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
SCHEMADIR ?= $(PREFIX)/share/ksmctl/schema
DROPINDIR ?= $(PREFIX)/share/ksmtuned
LOGROTATEDIR ?= $(SYSCONFDIR)/logrotate.d
# KSM_MAX_KERNEL_PAGES=: Debian's place; Red Hat's is sysconfig.
ENVIRONMENTDIR ?= $(SYSCONFDIR)/default
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALL ?= install
INSTALL_PROGRAM ?= $(INSTALL) -m755

SWIFT ?= swift
# Of the programs and of every package; it stands once.
VERSION := $(shell sed -n 's/^package let programVersion = "\(.*\)"$$/\1/p' Sources/HostKernel/Version.swift)
BUILD := .build/release
PROGRAMS := $(BUILD)/ksmtuned $(BUILD)/ksmctl
SOURCES := Package.swift Sources Tests Benchmarks/Scale
PAGES := man/ksmtuned.8 man/ksmtuned.conf.5 man/ksmctl.8

# The standard libraries of Swift and C++ are linked in, so that nothing of either is needed on the host.
# The same sources give the same bytes wherever they are built: no path of the tree gets into them, nor the sum of each
# module by which the compiler would know it again, which depends on that path. So do names in the debug information,
# and with it the identifier of the program: DEBUG_INFO=dwarf is for a debugger.
DEBUG_INFO ?= none
RELEASE = -c release --static-swift-stdlib $$(tools/link-flags .build/static-libs) -debug-info-format $(DEBUG_INFO) \
    -Xswiftc -Xfrontend -Xswiftc -disable-incremental-llvm-codegen \
    -Xswiftc -file-prefix-map -Xswiftc '$(CURDIR)=.' -Xcc '-ffile-prefix-map=$(CURDIR)=.'

# A module that is imported and not declared as a dependency in Package.swift is an error: imports go one way.
DEBUG_BUILD := --explicit-target-dependency-import-check error

# The parts of `make check`, in order; each is a target check-NAME of its own.
HOST_CHECKS := benchmarks kubernetes ansible pagesize faults oracle kernel events guests e2e
CHECKS := build lint unit release packages docs units selinux metrics $(HOST_CHECKS)

# What systemd-analyze(1) may say of the units: tenths. 252 says 1.1 of ksmtuned.service.
SECURITY_LIMIT ?= 12

# Of `make soak`.
TICKS ?= 1000000
PROCESSES ?= 10000
SOAK_SECONDS = $(or $(SECONDS),3600)

.NOTPARALLEL:
.PHONY: all release run demo check check-faults check-mutants check-selftests soak bench bench-short bench-daemon bench-scale \
    bench-scale-check fuzz \
    $(CHECKS:%=check-%) format lint install uninstall clean help
.DEFAULT_GOAL := all

all: release

help:
	@echo 'make run        build, and show the daemon at work on this machine until Ctrl-C'
	@echo 'make demo       show memory being merged on this machine, in under a minute, as root; SVG=FILE keeps the plot'
	@echo 'make check      test everything: $(CHECKS)'
	@echo 'make check-NAME one of these alone; for $(HOST_CHECKS) ARGS takes options of Tests/host/run,'
	@echo "                such as ARGS='-k WORD' for the checks with this word in their name;"
	@echo '                ALL=1 adds what takes long: for e2e further cases and a second kernel, for faults every'
	@echo '                system call with each of its errors, and not a choice: hours'
	@echo 'make check-mutants  change the sources in 200 places, one at a time: which do the tests not notice?'
	@echo 'make check-selftests  the kernel'"'"'s own tests of KSM, libvirt and avocado-vt beside the daemon, as root: 10 minutes'
	@echo 'make soak       a long life: TICKS=$(TICKS) in time that jumps, of which some among PROCESSES=$(PROCESSES),'
	@echo '                and SECONDS=$(SOAK_SECONDS) on this host and its own KSM, as root; 0 leaves one of them out'
	@echo 'make release    build $(PROGRAMS)'
	@echo 'make bench      policies side by side on this host and its own KSM, as root: a day and more'
	@echo 'make bench-short  the three that tell most, under 5 minutes'
	@echo 'make bench-daemon  what a tick costs, and the memory, beside a minimal C program'
	@echo 'make bench-scale  policies side by side over a day of simulated hosts of 64 GiB to 4 TiB; ARGS takes options'
	@echo 'make bench-scale-check  hold that simulation against this host'"'"'s own KSM, as root: 5 minutes'
	@echo 'make fuzz       give every reader random input for SECONDS=60 each, or TARGET=NAME alone'
	@echo 'make install    install under PREFIX=$(PREFIX); DESTDIR= for packages'
	@echo 'make packages   make deb, make rpm, make dist (sources), make bindist (programs with an install script), all into'
	@echo '                $(PACKAGES); version $(VERSION)'
	@echo 'make check-reproducible  build them again elsewhere, and compare the bytes'
	@echo 'make release-check  see whether $(VERSION) can be released: packages, licenses, bill of materials, checksums;'
	@echo '                TRIAL=1 goes on where CHANGELOG.md has changes that are in no version yet'
	@echo 'make uninstall  remove what was installed, but for a changed configuration and what the programs wrote; first:'
	@echo '                systemctl disable --now ksmtuned-metrics.timer ksmtuned ksm'
	@echo 'make format     format the sources'
	@echo 'make lint       say where their format is not the agreed one'
	@echo 'make clean      remove what was built'

release:
	@tools/install-dependencies build
	$(SWIFT) build $(RELEASE)

# For `make install`, which builds only where nothing is built: it often runs as another user.
$(PROGRAMS):
	@$(MAKE) release

run: release
	@tools/run $(BUILD)/ksmtuned

# Takes this host's KSM for under a minute where it may; else it replays a recorded host.
demo: release
	@tools/install-dependencies demo
	@tools/demo $(BUILD) $(SVG)

# Every part runs, also after one that failed; the last line sums up.
check:
	@tools/install-dependencies check
	@tools/run-checks $(CHECKS)

check-build:
	@tools/install-dependencies build
	$(SWIFT) build --build-tests $(DEBUG_BUILD)

check-lint lint:
	$(SWIFT) format lint --strict --recursive --parallel $(SOURCES)
	@echo 'the format is the agreed one'

check-unit: check-build
	$(SWIFT) test --skip-build $(DEBUG_BUILD)

check-release: release
	@echo "$$($(BUILD)/ksmtuned --version), ksmctl $$($(BUILD)/ksmctl --version)"

check-docs:
	@command -v mandoc > /dev/null || { echo 'SKIP docs: no mandoc here (package mandoc)'; exit 0; }; \
	mandoc -Tlint -W warning $(PAGES) && echo 'mandoc finds nothing: $(PAGES)'

check-units: $(PROGRAMS)
	@tools/verify-units $(SECURITY_LIMIT)

check-selinux:
	@Tests/host/run selinux $(ARGS)

check-metrics: $(PROGRAMS)
	@Tests/host/run metrics --ksmctl $(BUILD)/ksmctl $(ARGS)

# The checks in Python; ARGS are options of Tests/host/run.
$(HOST_CHECKS:%=check-%): check-%: $(PROGRAMS)
	@Tests/host/run $* --daemon $(BUILD)/ksmtuned --ksmctl $(BUILD)/ksmctl $(if $(ALL),--all) $(ARGS)

# libFuzzer comes with the toolchain; .build-fuzz keeps what it found, and is no part of the other builds.
FUZZ := .build-fuzz/release/fuzz
FUZZER_RUNTIME = $$($(SWIFT) -print-target-info | sed -n 's/.*"runtimeResourcePath" *: *"\(.*\)".*/\1/p')/clang/lib
fuzz:
	@tools/install-dependencies build
	@ls $(FUZZER_RUNTIME)/*/libclang_rt.fuzzer* > /dev/null 2>&1 || { \
	    echo "this Swift toolchain has no libclang_rt.fuzzer below $(FUZZER_RUNTIME): libFuzzer is missing, take one" \
	        "from https://www.swift.org/install; make check-unit replays the corpus without it" >&2; exit 1; }
	KSMTUNED_FUZZ=1 $(SWIFT) build --scratch-path .build-fuzz -c release --sanitize fuzzer --product fuzz
	Tests/fuzz/run --seconds $(or $(SECONDS),60) $(TARGET:%=--target %) $(FUZZ)

# Not a part of `make check`: a build of its own, and the tests once for each mutant. SEED, COUNT, MODULES, ONLY and
# FULL=1 are options of Tests/mutants/run.
check-mutants:
	@tools/install-dependencies build
	@Tests/mutants/run $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) \
	    $(if $(MODULES),--modules $(MODULES)) $(if $(ONLY),--only $(ONLY)) $(if $(FULL),--full) $(ARGS)

# Longer ones, no part of `make check`.
check-selftests: $(PROGRAMS)
	@tools/install-dependencies selftests
	@Tests/host/run selftests e2e -k selftests --longer --daemon $(BUILD)/ksmtuned --ksmctl $(BUILD)/ksmctl $(ARGS)

soak: $(PROGRAMS)
	@tools/install-dependencies check
	@Tests/host/run $(if $(TICKS:0=),soak) $(if $(SOAK_SECONDS:0=),soak_real) --daemon $(BUILD)/ksmtuned \
	    --ksmctl $(BUILD)/ksmctl --soak-ticks $(TICKS) --processes $(PROCESSES) --seconds $(SOAK_SECONDS) $(ARGS)

# These need root and an idle KSM, and say so.
bench bench-short: $(PROGRAMS)
	@tools/install-dependencies bench
	Benchmarks/policies --daemon $(BUILD)/ksmtuned $(if $(filter bench-short,$@),--short)

bench-daemon: $(PROGRAMS)
	Benchmarks/daemon --daemon $(BUILD)/ksmtuned

# Needs no root and touches no KSM; the check does, and says so. A build of its own: it is no part of a release.
SCALE := .build-scale/release/scale
bench-scale bench-scale-check:
	@tools/install-dependencies build
	$(SWIFT) build -c release --product scale --scratch-path .build-scale
	$(if $(filter bench-scale,$@),$(SCALE),Benchmarks/scale-check --scale $(SCALE)) $(ARGS)

format:
	$(SWIFT) format --in-place --recursive --parallel $(SOURCES)

install: $(PROGRAMS)
	$(INSTALL) -d "$(DESTDIR)$(SBINDIR)" "$(DESTDIR)$(UNITDIR)" \
	    "$(DESTDIR)$(MANDIR)/man5" "$(DESTDIR)$(MANDIR)/man8"
	$(INSTALL) -d "$(DESTDIR)$(SYSCONFDIR)/ksmtuned.conf.d" "$(DESTDIR)$(ENVIRONMENTDIR)" \
	    "$(DESTDIR)$(LOGROTATEDIR)"
	$(INSTALL_PROGRAM) $(PROGRAMS) "$(DESTDIR)$(SBINDIR)"
	for unit in ksm ksmtuned ksmtuned-metrics; do \
	    sed -e '1,2d' -e 's|=/usr/sbin/|=$(SBINDIR)/|' systemd/$$unit.service \
	        > "$(DESTDIR)$(UNITDIR)/$$unit.service" && \
	    chmod 644 "$(DESTDIR)$(UNITDIR)/$$unit.service" || exit; \
	done
	$(INSTALL) -d "$(DESTDIR)$(DROPINDIR)"
	$(INSTALL) -m644 systemd/drop-ins/*.conf "$(DESTDIR)$(DROPINDIR)"
	$(INSTALL) -m644 systemd/ksmtuned-metrics.timer "$(DESTDIR)$(UNITDIR)"
	$(INSTALL) -m644 man/ksmtuned.conf.5 "$(DESTDIR)$(MANDIR)/man5"
	$(INSTALL) -m644 man/ksmtuned.8 man/ksmctl.8 "$(DESTDIR)$(MANDIR)/man8"
	$(INSTALL) -d "$(DESTDIR)$(SCHEMADIR)" "$(DESTDIR)$(BASHCOMPDIR)" "$(DESTDIR)$(ZSHCOMPDIR)" "$(DESTDIR)$(FISHCOMPDIR)"
	$(INSTALL) -m644 schema/*.json "$(DESTDIR)$(SCHEMADIR)"
	@# The program knows its own commands and options. The first line would say that bash runs the file; it is read.
	$(BUILD)/ksmctl --generate-completion-script bash | sed '1{/^#!/d}' > "$(DESTDIR)$(BASHCOMPDIR)/ksmctl"
	$(BUILD)/ksmctl --generate-completion-script zsh > "$(DESTDIR)$(ZSHCOMPDIR)/_ksmctl"
	$(BUILD)/ksmctl --generate-completion-script fish > "$(DESTDIR)$(FISHCOMPDIR)/ksmctl.fish"
	@tools/install-configuration etc/ksmtuned.conf "$(DESTDIR)$(SYSCONFDIR)/ksmtuned.conf"
	@tools/install-configuration etc/default/ksm "$(DESTDIR)$(ENVIRONMENTDIR)/ksm"
	@tools/install-configuration packaging/logrotate/ksmtuned "$(DESTDIR)$(LOGROTATEDIR)/ksmtuned"
	@[ -n '$(DESTDIR)' ] || echo 'Now: systemctl daemon-reload && systemctl enable --now ksm ksmtuned;' \
	    'on an upgrade: systemctl daemon-reload && systemctl restart ksmtuned'

# First: systemctl disable --now ksmtuned-metrics.timer ksmtuned ksm. A daemon that runs, and the links of units that are
# enabled, are not touched. A configuration that was changed stays, and what the programs wrote.
uninstall:
	rm -f "$(DESTDIR)$(SBINDIR)/ksmtuned" "$(DESTDIR)$(SBINDIR)/ksmctl"
	rm -f "$(DESTDIR)$(UNITDIR)/ksmtuned.service" "$(DESTDIR)$(UNITDIR)/ksm.service"
	rm -f "$(DESTDIR)$(UNITDIR)/ksmtuned-metrics.service" "$(DESTDIR)$(UNITDIR)/ksmtuned-metrics.timer"
	rm -f "$(DESTDIR)$(MANDIR)/man5/ksmtuned.conf.5" \
	    "$(DESTDIR)$(MANDIR)/man8/ksmtuned.8" "$(DESTDIR)$(MANDIR)/man8/ksmctl.8"
	rm -rf "$(DESTDIR)$(SCHEMADIR)" "$(DESTDIR)$(DROPINDIR)"
	@rmdir "$(DESTDIR)$(dir $(SCHEMADIR))" 2> /dev/null || :
	rm -f "$(DESTDIR)$(BASHCOMPDIR)/ksmctl" "$(DESTDIR)$(ZSHCOMPDIR)/_ksmctl" "$(DESTDIR)$(FISHCOMPDIR)/ksmctl.fish"
	@tools/install-configuration --remove etc/ksmtuned.conf "$(DESTDIR)$(SYSCONFDIR)/ksmtuned.conf"
	@tools/install-configuration --remove etc/default/ksm "$(DESTDIR)$(ENVIRONMENTDIR)/ksm"
	@tools/install-configuration --remove packaging/logrotate/ksmtuned "$(DESTDIR)$(LOGROTATEDIR)/ksmtuned"
	@rmdir "$(DESTDIR)$(SYSCONFDIR)/ksmtuned.conf.d" 2> /dev/null || :
	@[ -n '$(DESTDIR)' ] || echo 'Now: systemctl daemon-reload. What the programs wrote is still there:' \
	    '/var/lib/ksmtuned, /var/log/ksmtuned*, ksmtuned.prom in node_exporter'"'"'s folder'

include packaging/packages.mk

clean:
	rm -rf .build .build-fuzz .build-scale
