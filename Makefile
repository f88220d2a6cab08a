# SPDX-License-Identifier: Apache-2.0
# make             builds into build/
# make demo        the main job, on a machine of its own making
# make check       all tests;  make check-vm, bench, lint, asan, valgrind
# make install     with DESTDIR and PREFIX
VERSION := 0.1.0
BUILD ?= build
PREFIX ?= /usr
SYSCONFDIR ?= /etc
STATEDIR ?= /var/lib/hygie
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
LIBDIR ?= $(PREFIX)/lib/$(MULTIARCH)
PAMDIR ?= $(LIBDIR)/security
LIBEXECDIR ?= $(PREFIX)/libexec/hygie
DATADIR ?= $(PREFIX)/share
UNITDIR ?= $(PREFIX)/lib/systemd/system
USERUNITDIR ?= $(PREFIX)/lib/systemd/user
UDEVDIR ?= $(PREFIX)/lib/udev/rules.d
# No clock is believed below the moment of the last change.
BUILD_TIME := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)

CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wundef -Wvla -Wcast-qual -Wwrite-strings
GCC_WARNINGS := -Wlogical-op -Wduplicated-cond -Wduplicated-branches
ifneq ($(findstring gcc,$(CC)),)
WARNINGS += $(GCC_WARNINGS)
endif
ifdef WERROR
WARNINGS += -Werror
endif
HARDENING := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
CFLAGS ?= -O2 -g
PKGS := libsystemd libpcsclite openssl sqlite3 inih p11-kit-1 libseccomp jansson
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
ALL_CFLAGS = -std=gnu17 -fPIC -pthread -MMD -MP $(WARNINGS) $(HARDENING) -D_GNU_SOURCE \
	-Itools -Itests -DHYGIE_VERSION='"$(VERSION)"' -DHYGIE_BUILD_TIME=$(BUILD_TIME) \
	-DHYGIED_PATH='"$(PREFIX)/sbin/hygied"' -DHYGIE_PREFIX='"$(PREFIX)"' \
	-DHYGIE_PAMDIR='"$(PAMDIR)"' -DHYGIE_LIBEXECDIR='"$(LIBEXECDIR)"' \
	-DHYGIE_LOCALEDIR='"$(DATADIR)/locale"' $(PKG_CFLAGS) $(CFLAGS) $(EXTRA_CFLAGS)
ALL_LDFLAGS = -Wl,-z,relro,-z,now -Wl,--as-needed -pthread $(LDFLAGS) $(EXTRA_LDFLAGS)

# V=1 shows the commands.
Q := $(if $(V),,@)
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
libs = $(shell pkg-config --libs $(1))

# What every client needs, and nothing that pulls in a library.
CLIENT_SRC := $(addprefix tools/libhygie/,catalogue.c client.c deadline.c outcome.c protocol.c \
	pin_guess.c secret.c text.c translate.c utf8.c wire.c printable.c)
LIB_SRC := $(wildcard tools/libhygie/*.c)
DAEMON_SRC := $(filter-out tools/hygied/main.c,$(wildcard tools/hygied/*.c))
TOKEN_SRC := $(filter-out tools/hygie-token/main.c,$(wildcard tools/hygie-token/*.c))
STORE_SRC := $(filter-out tools/hygie-store/main.c,$(wildcard tools/hygie-store/*.c))
FSCRYPT_SRC := $(wildcard tools/hygie-fscrypt/*.c)
COMMAND_SRC := $(filter-out tools/hygie/hygie.c,$(wildcard tools/hygie/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))

PROGRAMS := $(addprefix $(BUILD)/,pam_hygie.so libhygie.so.0 hygied hygie-token hygie-store \
	hygie-fscrypt hygie)
MAN := $(patsubst docs/man/%.scd,$(BUILD)/man/%,$(wildcard docs/man/*.scd))

all: $(PROGRAMS) $(MAN)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/libhygie.a: $(call objects,$(LIB_SRC))
$(BUILD)/hygied.a: $(call objects,$(DAEMON_SRC))
$(BUILD)/hygie-token.a: $(call objects,$(TOKEN_SRC))
$(BUILD)/hygie-store.a: $(call objects,$(STORE_SRC))
$(BUILD)/hygie.a: $(call objects,$(COMMAND_SRC))
$(BUILD)/%.a:
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/pam_hygie.so: $(call objects,$(wildcard pam/*.c) $(CLIENT_SRC)) pam/pam_hygie.map
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,--version-script=pam/pam_hygie.map \
		-o $@ $(filter %.o,$^) -lpam

$(BUILD)/libhygie.so.0: $(call objects,$(CLIENT_SRC) tools/libhygie/hygie.c) \
		tools/libhygie/libhygie.map
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,libhygie.so.0 \
		-Wl,--version-script=tools/libhygie/libhygie.map -o $@ $(filter %.o,$^)

DAEMON_LIBS = $(call libs,libsystemd libpcsclite libcrypto sqlite3 inih)
TOKEN_LIBS = $(call libs,p11-kit-1 libseccomp libcrypto) -ldl
$(BUILD)/hygied: $(call objects,tools/hygied/main.c) $(BUILD)/hygied.a $(BUILD)/libhygie.a
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(DAEMON_LIBS)
$(BUILD)/hygie-token: $(call objects,tools/hygie-token/main.c) $(BUILD)/hygie-token.a \
		$(BUILD)/libhygie.a
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(TOKEN_LIBS)
$(BUILD)/hygie-store: $(call objects,tools/hygie-store/main.c) $(BUILD)/hygie-store.a \
		$(BUILD)/libhygie.a
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(call libs,libsystemd inih)
$(BUILD)/hygie-fscrypt: $(call objects,$(FSCRYPT_SRC)) $(BUILD)/hygie-store.a $(BUILD)/libhygie.a
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(call libs,libcrypto)
COMMAND_LIBS = $(call libs,jansson libsystemd inih libcrypto)
$(BUILD)/hygie: $(call objects,tools/hygie/hygie.c) $(BUILD)/hygie.a $(BUILD)/libhygie.a
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -pie -o $@ $^ $(COMMAND_LIBS)

$(BUILD)/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	scdoc <$< >$@.tmp && mv $@.tmp $@

# --- tests -----------------------------------------------------------------------------
$(BUILD)/tests/piv-card: $(call objects,$(wildcard tests/card/*.c))
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs,libcrypto zlib)
$(BUILD)/tests/test_%: $(BUILD)/obj/tests/unit/test_%.o $(BUILD)/hygied.a \
		$(BUILD)/hygie-token.a $(BUILD)/hygie.a $(BUILD)/libhygie.a
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS) $(TOKEN_LIBS) $(COMMAND_LIBS) \
		$(call libs,cmocka) -lpam
-include $(wildcard tests/*/rules.mk)
include tools/po/rules.mk

test-programs: $(BUILD)/tests/piv-card $(UNIT_TESTS) $(EXTRA_TEST_PROGRAMS)

stage: all
	$(MAKE) install DESTDIR=$(abspath $(BUILD)/stage) >/dev/null

# Formatting, two analysers, and gcc's own at -O0, which sees through cleanup attributes.
C_FILES = $(shell git ls-files -co --exclude-standard '*.c')
H_FILES = $(shell git ls-files -co --exclude-standard '*.h')
LINTED = $(addprefix lint-,$(filter tools/% pam/%,$(C_FILES)))
LINT_FLAGS = $(filter-out -MMD -MP $(HARDENING) $(GCC_WARNINGS),$(ALL_CFLAGS))
lint: deps
	clang-format --dry-run -Werror $(C_FILES) $(H_FILES)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppress=memleak --suppress=unknownMacro:tools/hygied/envelope_asn1.c \
		--error-exitcode=1 -Itools -Itests tools pam tests/card
	+$(Q)$(MAKE) --no-print-directory -k -j$(shell nproc) $(LINTED)
$(LINTED): lint-%:
	$(Q)told=$$(clang-tidy --quiet $* -- $(LINT_FLAGS) 2>&1) || { echo "$$told"; exit 1; }
	$(Q)gcc $(LINT_FLAGS) -O0 -fanalyzer -Werror -c -o /dev/null $*

deps:
	tests/deps

check: deps
	+tests/check
# A kernel of its own, a USB reader, virtual terminals: in QEMU, not part of `check`.
check-vm: deps
	+tests/vm/check
demo: deps
	+tests/demo/demo
bench: deps
	+tests/bench/bench
# The tests on programs that watch themselves, or are watched; docs/decisions/0009.
asan valgrind: deps
	+tests/sanitize/sanitize $@

# --- installation ----------------------------------------------------------------------
install: all
	install -D -m 755 $(BUILD)/pam_hygie.so $(DESTDIR)$(PAMDIR)/pam_hygie.so
	install -D -m 755 $(BUILD)/libhygie.so.0 $(DESTDIR)$(LIBDIR)/libhygie.so.0
	ln -sf libhygie.so.0 $(DESTDIR)$(LIBDIR)/libhygie.so
	install -D -m 644 tools/libhygie/hygie.h $(DESTDIR)$(PREFIX)/include/hygie.h
	install -D -m 755 $(BUILD)/hygied $(DESTDIR)$(PREFIX)/sbin/hygied
	install -D -m 755 $(BUILD)/hygie $(DESTDIR)$(PREFIX)/bin/hygie
	install -D -m 755 $(BUILD)/hygie-token $(DESTDIR)$(LIBEXECDIR)/hygie-token
	install -D -m 755 $(BUILD)/hygie-store $(DESTDIR)$(LIBEXECDIR)/hygie-store
	install -D -m 755 $(BUILD)/hygie-fscrypt $(DESTDIR)$(LIBEXECDIR)/hygie-fscrypt
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) udev/hygie-store@.service
	sed -i 's|=/usr/libexec/hygie/|=$(LIBEXECDIR)/|' $(DESTDIR)$(UNITDIR)/hygie-store@.service
	install -d -m 755 $(DESTDIR)$(DATADIR)/hygie/cards.d $(DESTDIR)$(SYSCONFDIR)/hygie/ca \
		$(DESTDIR)$(SYSCONFDIR)/hygie/cards.d $(DESTDIR)$(SYSCONFDIR)/hygie/hygie.conf.d
	install -d -m 700 $(DESTDIR)$(STATEDIR)
	install -m 644 cards.d/*.conf $(DESTDIR)$(DATADIR)/hygie/cards.d/
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) udev/hygied.service udev/hygied.socket \
		udev/hygied-unwatched.service
	sed -i 's|/usr/sbin/|$(PREFIX)/sbin/|' $(DESTDIR)$(UNITDIR)/hygied.service
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/doc/hygie/examples udev/getty@card.conf \
		udev/pcscd-socket.conf
	install -D -m 644 -t $(DESTDIR)$(UDEVDIR) udev/70-hygie.rules
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/polkit-1/rules.d udev/50-hygie.rules
	install -D -m 644 udev/hygie.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/hygie.conf
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) udev/hygie-pam-revert.service
	sed -i 's|=/usr/bin/|=$(PREFIX)/bin/|' $(DESTDIR)$(UNITDIR)/hygie-pam-revert.service
	install -D -m 644 -t $(DESTDIR)$(USERUNITDIR) udev/hygie-session-lock.service
	sed -i 's|=/usr/bin/|=$(PREFIX)/bin/|' $(DESTDIR)$(USERUNITDIR)/hygie-session-lock.service
	install -D -m 644 -t $(DESTDIR)$(SYSCONFDIR)/xdg/autostart udev/hygie-session-lock.desktop
	install -d -m 755 $(DESTDIR)$(UNITDIR)/sysinit.target.wants
	ln -sf ../hygie-pam-revert.service $(DESTDIR)$(UNITDIR)/sysinit.target.wants/
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/pam-configs pam/profiles/*
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/hygie/pam.d pam/services/*
	for page in $(MAN); do \
		install -D -m 644 $$page \
			$(DESTDIR)$(DATADIR)/man/man$${page##*.}/$${page##*/} || exit 1; \
	done

clean:
	rm -rf $(BUILD)

.PHONY: all test-programs stage lint $(LINTED) deps check check-vm demo bench asan valgrind install clean
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
