# SPDX-License-Identifier: Apache-2.0
# What the benchmark logs in with, and what sees cards go.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/bench-login $(BUILD)/tests/bench-removal

$(BUILD)/tests/bench-login: $(call objects,tests/bench/bench_login.c)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpam
$(BUILD)/tests/bench-removal: $(call objects,tests/bench/bench_removal.c)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs,libsystemd libpcsclite)
