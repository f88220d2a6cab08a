# SPDX-License-Identifier: Apache-2.0
# What the tests of hygie-token are driven by: the daemon's part, and a module that attacks.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/token-driver $(BUILD)/tests/hostile-module.so

$(BUILD)/tests/token-driver: $(call objects,tests/token/token_driver.c) $(BUILD)/libhygie.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^
$(BUILD)/tests/hostile-module.so: $(call objects,tests/token/hostile_module.c)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -shared -o $@ $^
