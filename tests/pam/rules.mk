# SPDX-License-Identifier: Apache-2.0
# What the tests of the PAM module run: an application, a module beside ours, and a library
# that makes calls fail.
EXTRA_TEST_PROGRAMS += $(addprefix $(BUILD)/tests/,pam_application pam_look_module.so \
	fail_calls.so)

$(BUILD)/tests/pam_application: $(BUILD)/obj/tests/pam/pam_application.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpam -ldl
$(BUILD)/tests/pam_look_module.so: $(BUILD)/obj/tests/pam/pam_look_module.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -shared -o $@ $^ -lpam
$(BUILD)/tests/fail_calls.so: $(BUILD)/obj/tests/pam/fail_calls.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -shared -o $@ $^ -ldl
