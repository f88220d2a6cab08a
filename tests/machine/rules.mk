# SPDX-License-Identifier: Apache-2.0
# What the tests in the booted machine run in it.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/greeter_calls

$(BUILD)/tests/greeter_calls: $(BUILD)/obj/tests/machine/greeter_calls.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpam

# A desktop's notifications.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/notified

$(BUILD)/tests/notified: $(call objects,tests/machine/notified.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs,libsystemd)

# hygied killed at a call.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/kill-at.so

$(BUILD)/tests/kill-at.so: $(call objects,tests/machine/kill_at.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -o $@ $^ -ldl
