/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust_load: a site's folder of CAs. What others could have written, or what is no CA,
 * is refused with its path.
 */
#include "unit/trust_judge.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <time.h>

/* A folder of CAs made for one test: DIR/site with us-piv/root.pem in it. */
struct site {
	char dir[4200], scheme[4300], file[4400];
};

static int site_setup(void **state)
{
	struct site *site = calloc(1, sizeof(*site));

	(void)snprintf(site->dir, sizeof(site->dir), "%s/above/site", pki_dir);
	(void)snprintf(site->scheme, sizeof(site->scheme), "%s/us-piv", site->dir);
	(void)snprintf(site->file, sizeof(site->file), "%s/root.pem", site->scheme);
	pki_shell(
		"umask 022; rm -rf \"$2/above\"; mkdir -p \"$1/us-piv\"; cp \"$2/ca/us-piv/root.pem\" "
		"\"$1/us-piv\"; chmod 644 \"$1/us-piv/root.pem\"",
		site->dir, pki_dir);
	*state = site;
	return 0;
}

static int site_teardown(void **state)
{
	struct site *site = *state;

	pki_shell("rm -rf \"$1/above\"", pki_dir, "");
	free(site);
	return 0;
}

/* Loads the site; a refusal must name the path and hold the word. */
static void assert_site(const struct site *site, int expected, const char *path,
			const char *word)
{
	struct trust *trust = NULL;
	char reason[TRUST_REASON_SIZE + 8192] = "";
	int r = trust_load_owned(site->dir, geteuid(), &trust, reason, sizeof(reason));

	if (r != expected || (r < 0 && (strncmp(reason, path, strlen(path)) != 0 ||
					strstr(reason, word) == NULL)))
		fail_msg("%d \"%s\"", r, reason);
	assert_int_equal(trust != NULL, r == 0);
	trust_free(trust);
}

static void assert_site_loads(const struct site *site)
{
	assert_site(site, 0, "", "");
}

static void a_site_with_an_anchor_loads(void **state)
{
	const struct site *site = *state;
	cleanup_trust struct trust *trust = NULL;
	char reason[TRUST_REASON_SIZE];

	assert_int_equal(
		trust_load_owned(site->dir, geteuid(), &trust, reason, sizeof(reason)),
		0);
	assert_int_equal(trust_anchor_count(trust, NULL), 1);
	assert_int_equal(trust_anchor_count(trust, identity_scheme_by_name(US)), 1);
	assert_int_equal(trust_anchor_count(trust, identity_scheme_by_name(FR)), 0);
}

static void an_empty_site_loads_and_trusts_nobody(void **state)
{
	const struct site *site = *state;
	cleanup_trust struct trust *trust = NULL;
	cleanup_certificate struct certificate *c = pki_leaf(US, "person");
	struct trust_verdict verdict = { 0 };
	char reason[TRUST_REASON_SIZE];

	assert_int_equal(unlink(site->file), 0);
	assert_int_equal(
		trust_load_owned(site->dir, geteuid(), &trust, reason, sizeof(reason)),
		0);
	assert_int_equal(trust_anchor_count(trust, NULL), 0);
	assert_int_equal(trust_verify(trust, c, time(NULL), NULL, &verdict), 0);
	assert_int_equal(verdict.reason, TRUST_NO_ANCHOR);
}

static void a_missing_site_is_an_error_that_names_it(void **state)
{
	const struct site *site = *state;

	pki_shell("rm -rf \"$1\"", site->dir, "");
	assert_site(site, -ENOENT, site->dir, "does not exist");
}

static void what_others_may_write_is_refused(void **state)
{
	const struct site *site = *state;
	const char *const paths[] = { site->dir, site->scheme, site->file };

	for (size_t i = 0; i < array_size(paths); i++) {
		const mode_t good = i == 2 ? 0644 : 0755;
		static const mode_t bad[] = { 0020, 0002 };

		for (size_t k = 0; k < array_size(bad); k++) {
			assert_int_equal(chmod(paths[i], good | bad[k]), 0);
			assert_site(site, -EPERM, paths[i], "chmod");
		}
		assert_int_equal(chmod(paths[i], good), 0);
		assert_site_loads(site);
	}
}

static void a_folder_above_that_others_may_write_is_refused(void **state)
{
	const struct site *site = *state;
	char above[4200];

	(void)snprintf(above, sizeof(above), "%s/above", pki_dir);
	assert_site_loads(site);
	assert_int_equal(chmod(above, 0777), 0);
	assert_site(site, -EPERM, above, "chmod");
	assert_int_equal(chmod(above, 0770), 0);
	assert_site(site, -EPERM, above, "chmod");
	/* As /tmp is, if it is root's: nobody can rename there what is not his. */
	assert_int_equal(chmod(above, 01777), 0);
	if (geteuid() == 0)
		assert_site_loads(site);
	assert_int_equal(chmod(above, 0700), 0);
	assert_site_loads(site);
}

static void what_belongs_to_another_is_refused(void **state)
{
	const struct site *site = *state;
	struct trust *trust = NULL;
	char reason[TRUST_REASON_SIZE + 8192];

	assert_site_loads(site);
	assert_int_equal(trust_load_owned(site->dir, geteuid() + 1, &trust, reason,
					  sizeof(reason)),
			 -EPERM);
	assert_non_null(strstr(reason, "chown"));
	assert_null(trust);
	if (geteuid() != 0)
		return; /* only root can give files away */
	const char *const paths[] = { site->file, site->scheme, site->dir };

	for (size_t i = 0; i < array_size(paths); i++) {
		assert_int_equal(chown(paths[i], 65534, 65534), 0);
		assert_site(site, -EPERM, paths[i], "chown");
		assert_int_equal(chown(paths[i], 0, 0), 0);
		assert_site_loads(site);
	}
}

static void symbolic_links_are_refused_at_each_level(void **state)
{
	const struct site *site = *state;

	assert_site_loads(site);
	pki_shell("mv \"$1\" \"$1.real\"", site->file, "");
	pki_shell("ln -s \"$1.real\" \"$1\"", site->file, "");
	assert_site(site, -ELOOP, site->file, "symbolic link");
	pki_shell("rm \"$1\"; mv \"$1.real\" \"$1\"", site->file, "");
	assert_site_loads(site);

	pki_shell("mv \"$1\" \"$2.real\"", site->scheme, site->dir);
	pki_shell("ln -s \"$2.real\" \"$1\"", site->scheme, site->dir);
	assert_site(site, -ELOOP, site->scheme, "symbolic link");
	pki_shell("rm \"$1\"; mv \"$2.real\" \"$1\"", site->scheme, site->dir);
	assert_site_loads(site);

	pki_shell("mv \"$1\" \"$1.real\"; ln -s \"$1.real\" \"$1\"", site->dir, "");
	assert_site(site, -ELOOP, site->dir, "symbolic link");
	pki_shell("rm \"$1\"; mv \"$1.real\" \"$1\"", site->dir, "");
	assert_site_loads(site);
}

static void larger_than_1_mib_is_refused(void **state)
{
	const struct site *site = *state;

	/* Comments before the first block are allowed: only the size is wrong. */
	pki_shell(
		"{ yes '# padding' | head -c \"$2\"; echo; cat \"$1\"; } > \"$1.new\"; mv \"$1.new\" "
		"\"$1\"",
		site->file, "1000000");
	assert_site_loads(site);
	pki_shell("yes '# more' | head -c \"$2\" >> \"$1\"", site->file, "60000");
	assert_site(site, -EFBIG, site->file, "larger");
}

static void what_is_no_authority_is_refused(void **state)
{
	const struct site *site = *state;
	static const struct {
		const char *command, *word;
	} cases[] = {
		{ "cp \"$2/leaf/us-piv/person.der\" \"$1\"", "not a CA" },
		{ "cp \"$2/leaf/us-piv/leaf-that-signs.der\" \"$1\"", "not a CA" },
		{ "cp \"$2/keys/p256.pem\" \"$1\"", "something else" },
		{ "echo nothing > \"$1\"", "neither PEM nor DER" },
		{ ": > \"$1\"", "neither PEM nor DER" },
		{ "head -n 4 \"$2/ca/us-piv/root.pem\" > \"$1\"", "neither PEM nor DER" },
		{ "{ cat \"$2/ca/us-piv/root.pem\"; head -n 4 \"$2/ca/us-piv/root.pem\"; } > \"$1\"",
		  "neither PEM nor DER" },
		{ "openssl x509 -in \"$2/ca/us-piv/root.pem\" -outform DER -out \"$1\"; echo x >> "
		  "\"$1\"",
		  "one whole certificate" },
		{ "cat \"$2/ca/us-piv/root.pem\" \"$2/keys/p256.pem\" > \"$1\"",
		  "something else" },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		pki_shell(cases[i].command, site->file, pki_dir);
		assert_site(site, -EBADMSG, site->file, cases[i].word);
	}
	pki_shell("openssl x509 -in \"$2/ca/us-piv/root.pem\" -outform DER -out \"$1\"",
		  site->file, pki_dir);
	assert_site_loads(site);
}

static void several_authorities_in_one_file_are_read(void **state)
{
	const struct site *site = *state;
	cleanup_trust struct trust *trust = NULL;
	char reason[TRUST_REASON_SIZE];

	pki_shell("cat \"$2\"/ca/us-piv/issuing.pem \"$2\"/ca/us-piv/root.pem "
		  "\"$2\"/ca-twin/us-piv/root.pem > \"$1\"",
		  site->file, pki_dir);
	assert_int_equal(
		trust_load_owned(site->dir, geteuid(), &trust, reason, sizeof(reason)),
		0);
	assert_int_equal(trust_anchor_count(trust, NULL), 2);
	assert_int_equal(judge(trust, US, "person", time(NULL), false).reason, TRUST_OK);
}

static void an_unknown_scheme_is_refused(void **state)
{
	const struct site *site = *state;
	char path[4300];

	(void)snprintf(path, sizeof(path), "%s/us-pvi", site->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_site(site, -EBADMSG, path, "scheme");
	assert_int_equal(rmdir(path), 0);
	assert_site_loads(site);
}

static void a_certificate_outside_of_the_schemes_folders_is_refused(void **state)
{
	const struct site *site = *state;
	char path[4300];

	(void)snprintf(path, sizeof(path), "%s/root.crt", site->dir);
	pki_shell("cp \"$1\" \"$2\"", site->file, path);
	assert_site(site, -EBADMSG, path, "move it");
	assert_int_equal(unlink(path), 0);
	pki_shell("echo note > \"$1/README\"; echo note > \"$2/README\"", site->dir,
		  site->scheme);
	assert_site_loads(site);
}

static void a_fifo_does_not_hold_up_the_start(void **state)
{
	const struct site *site = *state;

	assert_int_equal(unlink(site->file), 0);
	assert_int_equal(mkfifo(site->file, 0644), 0);
	assert_site(site, -EPERM, site->file, "not a regular file");
}

#define site_test(function)                                                              \
	cmocka_unit_test_setup_teardown(function, site_setup, site_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		site_test(a_site_with_an_anchor_loads),
		site_test(an_empty_site_loads_and_trusts_nobody),
		site_test(a_missing_site_is_an_error_that_names_it),
		site_test(what_others_may_write_is_refused),
		site_test(a_folder_above_that_others_may_write_is_refused),
		site_test(what_belongs_to_another_is_refused),
		site_test(symbolic_links_are_refused_at_each_level),
		site_test(larger_than_1_mib_is_refused),
		site_test(what_is_no_authority_is_refused),
		site_test(several_authorities_in_one_file_are_read),
		site_test(an_unknown_scheme_is_refused),
		site_test(a_certificate_outside_of_the_schemes_folders_is_refused),
		site_test(a_fifo_does_not_hold_up_the_start),
	};

	return cmocka_run_group_tests(tests, pki_group_setup, pki_group_teardown);
}
