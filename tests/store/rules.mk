# SPDX-License-Identifier: Apache-2.0
# The envelope's functions as a command, to be compared with openssl's.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/envelope-tool

$(BUILD)/tests/envelope-tool: $(call objects,tests/store/envelope_tool.c) $(BUILD)/hygied.a \
		$(BUILD)/libhygie.a
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

# hygied's remover held up at a file.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/stall-at.so

$(BUILD)/tests/stall-at.so: $(call objects,tests/store/stall_at.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -o $@ $^ -ldl

# hygie or hygied stopped, or killed, at a call.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/halt-at.so

$(BUILD)/tests/halt-at.so: $(call objects,tests/store/halt_at.c)
	@mkdir -p $(@D)
	@echo "  link $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -o $@ $^ -ldl
