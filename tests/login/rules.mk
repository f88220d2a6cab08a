# SPDX-License-Identifier: Apache-2.0
# What the tests of a login are played on: a module that works and lies, and a rival that
# speaks pcscd's protocol by itself.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/evil-module.so $(BUILD)/tests/login-rival

$(BUILD)/tests/evil-module.so: $(call objects,tests/login/evil_module.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -o $@ $^ -ldl
$(BUILD)/tests/login-rival: $(call objects,tests/login/rival.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs,libpcsclite)
