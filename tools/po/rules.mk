# SPDX-License-Identifier: Apache-2.0
# make po          collects the sentences of the source into hygie.pot, merges them into
#                  each .po, and counts what is left to translate; see README.md
# The catalogues themselves are part of `make all` and `make install`.
LANGUAGES := $(shell sed '/^\#/d' tools/po/LINGUAS)
CATALOGUES := $(LANGUAGES:%=$(BUILD)/locale/%/LC_MESSAGES/hygie.mo)
PO_SOURCES = $(sort $(wildcard pam/*.c tools/hygie/*.c tools/hygied/*.c tools/libhygie/*.c))

all: $(CATALOGUES)

$(BUILD)/locale/%/LC_MESSAGES/hygie.mo: tools/po/%.po
	@mkdir -p $(@D)
	$(Q)msgfmt --check-header --check-domain -o $@ $<

# File names without lines and no date: the template changes with the sentences alone.
$(BUILD)/hygie.pot: $(PO_SOURCES) tools/po/rules.mk
	@mkdir -p $(@D)
	$(Q)xgettext --language=C --from-code=UTF-8 --keyword --keyword=tr --keyword=N_ \
		--add-location=file --add-comments=TRANSLATORS: --package-name=hygie -o $@.tmp $(PO_SOURCES)
	$(Q)sed -e '1,/^#, fuzzy/d' -e '/^"POT-Creation-Date/d' -e 's/charset=CHARSET/charset=UTF-8/' \
		$@.tmp >$@.body
	$(Q){ echo '# SPDX-License-Identifier: Apache-2.0'; \
		echo '# Made from the source by "make po".'; cat $@.body; } >$@
	@rm -f $@.tmp $@.body

po: $(BUILD)/hygie.pot
	cp $< tools/po/hygie.pot
	for language in $(LANGUAGES); do \
		msgmerge --quiet --update --backup=none --no-fuzzy-matching \
			--add-location=file tools/po/$$language.po tools/po/hygie.pot && \
		msgfmt --statistics -o /dev/null tools/po/$$language.po || exit 1; \
	done

install-catalogues: $(CATALOGUES)
	for language in $(LANGUAGES); do \
		install -D -m 644 $(BUILD)/locale/$$language/LC_MESSAGES/hygie.mo \
			$(DESTDIR)$(DATADIR)/locale/$$language/LC_MESSAGES/hygie.mo || exit 1; \
	done
install: install-catalogues

.PHONY: po install-catalogues
