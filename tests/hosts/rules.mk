# SPDX-License-Identifier: Apache-2.0
# PAM applications, each in one difficult condition; and one of them, with the module, built to
# watch its threads (ThreadSanitizer), in a folder of its own.
HOSTS := cycle threads interleaved forked confined kept tight
HOST_PROGRAMS := $(addprefix $(BUILD)/tests/host-,$(HOSTS))
TSAN := $(BUILD)/tests/tsan
EXTRA_TEST_PROGRAMS += $(HOST_PROGRAMS) $(addprefix $(BUILD)/tests/host-,gap.so leak.so) \
	$(TSAN)/pam_hygie.so $(TSAN)/host-threads

$(HOST_PROGRAMS): $(BUILD)/tests/host-%: $(call objects,tests/hosts/host.c tests/hosts/%.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpam $(call libs,libseccomp)
$(BUILD)/tests/host-%.so: $(call objects,tests/hosts/%.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -o $@ $^ -ldl

TSAN_FLAGS = $(filter-out $(HARDENING),$(ALL_CFLAGS)) -O1 -fno-omit-frame-pointer -fsanitize=thread
tsan_objects = $(patsubst %.c,$(BUILD)/obj/tsan/%.o,$(1))
$(BUILD)/obj/tsan/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(TSAN_FLAGS) -c -o $@ $<
$(TSAN)/pam_hygie.so: $(call tsan_objects,$(wildcard pam/*.c) $(CLIENT_SRC)) pam/pam_hygie.map
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=thread -shared \
		-Wl,--version-script=pam/pam_hygie.map -o $@ $(filter %.o,$^) -lpam
$(TSAN)/host-threads: $(call tsan_objects,tests/hosts/host.c tests/hosts/threads.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=thread -o $@ $^ -lpam
