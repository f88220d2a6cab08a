/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a site's CA folders; declared in trust.h. trusted_file.c refuses whatever somebody
 * other than the owner could have put there; here is judged what the files hold.
 */
#include "hygied/trust_anchors.h"

#include "libhygie/trusted_file.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Where the reading stands: for the judging, and for the sentence when it fails. */
struct load {
	uid_t owner;
	const char *path; /* of what is being looked at */
	char *reason;
	size_t reason_size;
};

__attribute__((format(printf, 3, 4))) static int
load_fail(const struct load *load, int error, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(load->reason, load->reason_size, "%s: ", load->path);

	if (used < 0 || (size_t)used >= load->reason_size)
		return error;
	va_start(arguments, format);
	(void)vsnprintf(load->reason + used, load->reason_size - (size_t)used, format,
			arguments);
	va_end(arguments);
	return error;
}

/* What trusted_file.c said names the path already. */
static int load_fail_file(const struct load *load, int error,
			  const struct file_error *file_error)
{
	(void)snprintf(load->reason, load->reason_size, "%s", file_error->text);
	return error;
}

static void bio_free_function(BIO **bio)
{
	BIO_free(*bio);
}

/* Takes over nothing: the store and the stack hold references of their own. */
static int anchors_add(struct trust_anchors *anchors, const struct load *load,
		       const uint8_t *der, size_t size)
{
	cleanup_certificate struct certificate *c = NULL;
	X509 *x509;
	int r;

	r = certificate_parse(der, size, &c);
	if (r == -EBADMSG)
		return load_fail(load, r,
				 "holds something that is not one whole certificate");
	if (r < 0)
		return load_fail(load, r, "cannot be read: out of memory");
	x509 = certificate_x509(c);
	if (X509_check_ca(x509) != 1)
		return load_fail(load, -EBADMSG,
				 "holds a certificate that is not a CA's (%s)",
				 certificate_subject(c));

	if (X509_self_signed(x509, 1) == 1) {
		if (X509_STORE_add_cert(anchors->store, x509) != 1)
			return load_fail(load, -ENOMEM, "cannot be kept: out of memory");
		anchors->anchor_count++;
		return 0;
	}
	if (X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0)
		return load_fail(
			load, -EBADMSG,
			"holds a CA that names itself as its issuer, with a signature "
			"that is not its own (%s); fetch it again",
			certificate_subject(c));
	if (X509_add_cert(anchors->intermediates, x509, X509_ADD_FLAG_UP_REF) != 1)
		return load_fail(load, -ENOMEM, "cannot be kept: out of memory");
	return 0;
}

/* Each PEM block must be a plain certificate: a key or CRL here is somebody's mistake. */
static int anchors_add_pem(struct trust_anchors *anchors, const struct load *load,
			   const uint8_t *bytes, size_t size)
{
	cleanup_with(bio_free_function) BIO *bio = BIO_new_mem_buf(bytes, (int)size);
	size_t count = 0;
	int r = 0;

	if (bio == NULL)
		return load_fail(load, -ENOMEM, "cannot be read: out of memory");
	while (r == 0) {
		char *name = NULL, *header = NULL;
		uint8_t *der = NULL;
		long der_size;

		if (PEM_read_bio(bio, &name, &header, &der, &der_size) != 1)
			break;
		if (strcmp(name, PEM_STRING_X509) != 0)
			r = load_fail(
				load, -EBADMSG,
				"holds something else than certificates; remove it");
		else
			r = anchors_add(anchors, load, der, (size_t)der_size);
		count++;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	if (r < 0)
		return r;
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE || count == 0)
		return load_fail(load, -EBADMSG,
				 "is neither PEM nor DER; fetch it again");
	return 0;
}

static int load_file(struct trust_anchors *anchors, const struct load *load)
{
	cleanup_free char *text = NULL;
	struct file_error error = { "" };
	const uint8_t *bytes;
	size_t size = 0;
	int r;

	r = trusted_file_read(load->path, load->owner, TRUST_FILE_SIZE_MAX, &text, &size,
			      &error);
	if (r < 0)
		return load_fail_file(load, r, &error);
	bytes = (const uint8_t *)text;
	if (size > 0 && bytes[0] == (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED))
		return anchors_add(anchors, load, bytes, size);
	return anchors_add_pem(anchors, load, bytes, size);
}

static bool has_ca_suffix(const char *name)
{
	static const char *const suffixes[] = { ".pem", ".crt", ".cer", ".der" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && dot != name && i < array_size(suffixes); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return true;
	return false;
}

/* Deals with what lies in the folder load->path under `name`; load is of that thing. */
typedef int (*entry_function)(void *context, const struct load *load, const char *name);

static int folder_load(const struct load *load, entry_function entry_load, void *context)
{
	cleanup_trusted_names struct trusted_names names = { 0 };
	struct file_error error = { "" };
	int r = trusted_folder_list(load->path, "", load->owner, &names, &error);

	if (r < 0)
		return load_fail_file(load, r, &error);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		struct load inner = *load;
		cleanup_free char *path = NULL;

		if (asprintf(&path, "%s/%s", load->path, names.name[i]) < 0) {
			path = NULL;
			return load_fail(load, -ENOMEM, "cannot be read: out of memory");
		}
		inner.path = path;
		r = entry_load(context, &inner, names.name[i]);
	}
	return r;
}

static int scheme_entry_load(void *anchors, const struct load *load, const char *name)
{
	return has_ca_suffix(name) ? load_file(anchors, load) : 0;
}

static struct trust_anchors *trust_anchors_of(struct trust *trust,
					      const struct identity_scheme *scheme)
{
	for (size_t i = 0; i < trust->count; i++)
		if (trust->by_scheme[i].scheme == scheme)
			return &trust->by_scheme[i];
	return NULL;
}

static int site_entry_load(void *trust, const struct load *load, const char *name)
{
	const struct identity_scheme *scheme = identity_scheme_by_name(name);
	struct stat st;

	if (has_ca_suffix(name))
		return load_fail(
			load, -EBADMSG,
			"is not in a scheme's folder; move it into the one of its scheme");
	if (lstat(load->path, &st) < 0)
		return load_fail(load, -errno, "cannot be examined: %m");
	if (S_ISREG(st.st_mode))
		return 0; /* a site's notes */
	if (scheme == NULL)
		return load_fail(
			load, -EBADMSG,
			"is not named after a scheme of this version; rename or remove it");
	return folder_load(load, scheme_entry_load, trust_anchors_of(trust, scheme));
}

static int trust_new(struct trust **ret_trust)
{
	cleanup_trust struct trust *trust = NULL;
	size_t count = 0;

	while (identity_scheme_at(count) != NULL)
		count++;
	trust = calloc(1, sizeof(*trust) + count * sizeof(trust->by_scheme[0]));
	if (trust == NULL)
		return -ENOMEM;
	trust->count = count;
	for (size_t i = 0; i < count; i++) {
		struct trust_anchors *anchors = &trust->by_scheme[i];

		anchors->scheme = identity_scheme_at(i);
		anchors->store = X509_STORE_new();
		anchors->intermediates = sk_X509_new_null();
		if (anchors->store == NULL || anchors->intermediates == NULL)
			return -ENOMEM;
	}
	*ret_trust = trust;
	trust = NULL;
	return 0;
}

int trust_load_owned(
	const char *ca_dir, uid_t owner, struct trust **ret_trust,
	/* NOLINTNEXTLINE(readability-non-const-parameter): written by refusals */
	char *reason, size_t reason_size)
{
	const struct load load = { owner, ca_dir, reason, reason_size };
	cleanup_trust struct trust *trust = NULL;
	int r;

	r = trust_new(&trust);
	if (r < 0)
		return load_fail(&load, r, "cannot be read: out of memory");
	r = folder_load(&load, site_entry_load, trust);
	ERR_clear_error();
	if (r < 0)
		return r;
	*ret_trust = trust;
	trust = NULL;
	return 0;
}

void trust_free(struct trust *trust)
{
	if (trust == NULL)
		return;
	for (size_t i = 0; i < trust->count; i++) {
		X509_STORE_free(trust->by_scheme[i].store);
		sk_X509_pop_free(trust->by_scheme[i].intermediates, X509_free);
	}
	free(trust);
}
