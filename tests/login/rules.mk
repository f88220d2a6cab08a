# SPDX-License-Identifier: Apache-2.0
# What the tests of a login are played on: a module that works and lies.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/evil-module.so

$(BUILD)/tests/evil-module.so: $(call objects,tests/login/evil_module.c)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -shared -o $@ $^ -ldl
