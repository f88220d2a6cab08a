# SPDX-License-Identifier: Apache-2.0
# hygied, hygie-token and pam_hygie.so linked again, so that any call of our own code can be
# made to fail. Only their own objects' calls go through the wrappers.
FAULT := $(BUILD)/fault
EXTRA_TEST_PROGRAMS += $(FAULT)/.made

FAULT_CFLAGS = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0
fault_link = $(MAKE) BUILD=$(FAULT) EXTRA_CFLAGS="$(FAULT_CFLAGS)" $(FAULT)/$(1) \
	EXTRA_LDFLAGS="$(2) $$(nm $(2) | sed -n 's/.* T __wrap_\(.*\)/-Wl,--wrap=\1/p' | tr '\n' ' ')"

# Linked anew also when only the list of what is wrapped has changed.
$(FAULT)/.made: $(PROGRAMS) $(wildcard tests/fault/*.c tests/fault/*.h)
	@mkdir -p $(FAULT)
	$(Q)for part in fault fault_daemon fault_token; do \
		$(CC) $(ALL_CFLAGS) $(FAULT_CFLAGS) -MF /dev/null -c -o $(FAULT)/$$part.o \
			tests/fault/$$part.c || exit 1; done
	$(Q)$(CC) $(ALL_CFLAGS) $(FAULT_CFLAGS) -MF /dev/null -DFAULT_MODULE -c \
		-o $(FAULT)/fault_module.o tests/fault/fault.c
	$(Q)rm -f $(FAULT)/hygied $(FAULT)/hygie-token $(FAULT)/pam_hygie.so
	+$(Q)$(call fault_link,hygied,$(FAULT)/fault.o $(FAULT)/fault_daemon.o)
	+$(Q)$(call fault_link,hygie-token,$(FAULT)/fault.o $(FAULT)/fault_token.o)
	+$(Q)$(call fault_link,pam_hygie.so,$(FAULT)/fault_module.o)
	@touch $@
