# SPDX-License-Identifier: Apache-2.0
# What the benchmark logs in with.
EXTRA_TEST_PROGRAMS += $(BUILD)/tests/bench-login

$(BUILD)/tests/bench-login: $(call objects,tests/bench/bench_login.c)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpam
