/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The envelope's functions for tests that compare them with the openssl command.
 *
 *	envelope-tool seal NAME GENERATION KEY.pem:WRAP...	makes a secret; DER to stdout
 *		NAME: a store's; user:NAME, of a login secret
 *	envelope-tool seal-as SECRET NAME GENERATION ...	the same with that secret
 *	envelope-tool open KEY.pem NAME GENERATION <DER		the secret, or the verdict
 *	envelope-tool task CERT.der <DER	for a token: operation, hash, data in hex
 *	envelope-tool open-by CERT.der NAME GENERATION HEX <DER	with what the token gave
 *	envelope-tool recovery OUT.pem OUT.der	makes a recovery key: its public half, and
 *						locked; prints the passphrase
 *	envelope-tool unlock IN.der PASSPHRASE NAME GENERATION <DER	opens by that key
 */
#include "hygied/envelope.h"
#include "hygied/recovery_key.h"
#include "libhygie/hex.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

static const char *const wraps[] = {
	[ENVELOPE_WRAP_RSA_OAEP_SHA256] = "oaep-sha256",
	[ENVELOPE_WRAP_RSA_OAEP_SHA1] = "oaep-sha1",
	[ENVELOPE_WRAP_RSA_PKCS1] = "pkcs1",
	[ENVELOPE_WRAP_EC] = "ec",
};

static const char *const verdicts[] = {
	[ENVELOPE_SHUT] = "shut",
	[ENVELOPE_OPEN] = "open",
	[ENVELOPE_OTHER_STORE] = "other-store",
	[ENVELOPE_OLDER] = "older",
	[ENVELOPE_OTHER_RECIPIENTS] = "other-recipients",
};

static int fail(const char *what, int r)
{
	(void)fprintf(stderr, "envelope-tool: %s: %s\n", what, strerror(-r));
	return 1;
}

/* A private or a public key in PEM; NULL when there is none. */
static EVP_PKEY *key_read(const char *path)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key;

	if (!file)
		return NULL;
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	if (!key) {
		rewind(file);
		key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
	}
	(void)fclose(file);
	return key;
}

static uint8_t *bytes_read(FILE *file, size_t *ret_size)
{
	uint8_t *bytes = malloc(ENVELOPE_SIZE_MAX + 1);

	if (bytes)
		*ret_size = fread(bytes, 1, ENVELOPE_SIZE_MAX + 1, file);
	return bytes;
}

static int envelope_read(struct envelope **ret_envelope)
{
	cleanup_free uint8_t *der = NULL;
	size_t size = 0;

	der = bytes_read(stdin, &size);
	return der ? envelope_parse(der, size, ret_envelope) : -ENOMEM;
}

static int certificate_read(const char *path, struct certificate **ret_certificate)
{
	cleanup_free uint8_t *der = NULL;
	FILE *file = fopen(path, "re");
	size_t size = 0;

	if (!file)
		return -errno;
	der = bytes_read(file, &size);
	(void)fclose(file);
	return der ? certificate_parse(der, size, ret_certificate) : -ENOMEM;
}

static bool recipient_read(const char *text, struct envelope_recipient *recipient)
{
	const char *colon = strrchr(text, ':');
	char path[4096];

	if (!colon || (size_t)(colon - text) >= sizeof(path))
		return false;
	memcpy(path, text, (size_t)(colon - text));
	path[colon - text] = '\0';
	for (size_t i = 1; i < array_size(wraps); i++)
		if (strcmp(colon + 1, wraps[i]) == 0)
			recipient->wrap = (enum envelope_wrap)i;
	recipient->key = key_read(path);
	return recipient->key && recipient->wrap != ENVELOPE_WRAP_NONE;
}

static int secret_make(const char *text, struct secret **ret_secret)
{
	return text ? secret_new_from(text, strlen(text), ret_secret)
		    : envelope_secret_new(ret_secret);
}

static struct envelope_store named(const char *name, const char *generation)
{
	struct envelope_store store = { name, strtoull(generation, NULL, 10),
					ENVELOPE_OF_STORE };

	if (strncmp(name, "user:", 5) == 0) {
		store.name += 5;
		store.kind = ENVELOPE_OF_USER;
	}
	return store;
}

static int do_seal(const char *text, int count, char **words)
{
	struct envelope_store store = named(words[0], words[1]);
	struct envelope_recipient recipients[ENVELOPE_RECIPIENTS_MAX] = { 0 };
	cleanup_secret struct secret *secret = NULL;
	size_t used = 0, size;
	uint8_t *der;
	int r;

	for (int i = 2; i < count; i++, used++)
		if (used >= array_size(recipients) ||
		    !recipient_read(words[i], &recipients[used]))
			return fail(words[i], -EINVAL);
	r = secret_make(text, &secret);
	if (r == 0)
		r = envelope_seal(secret, &store, recipients, used, &der, &size);
	for (size_t i = 0; i < used; i++)
		EVP_PKEY_free(recipients[i].key);
	if (r < 0)
		return fail("seal", r);
	(void)fwrite(der, 1, size, stdout);
	OPENSSL_free(der);
	return 0;
}

static int opened_print(const struct envelope_opened *opened)
{
	if (opened->verdict == ENVELOPE_OPEN)
		(void)printf("open %llu %s %.*s\n",
			     (unsigned long long)opened->generation,
			     opened->names_recipients ? "named" : "any",
			     (int)secret_size(opened->secret),
			     (const char *)secret_bytes_const(opened->secret));
	else
		(void)printf("%s\n", verdicts[opened->verdict]);
	secret_free(opened->secret);
	return opened->verdict == ENVELOPE_OPEN ? 0 : 3;
}

static int open_with(EVP_PKEY *key, const char *name, const char *generation)
{
	struct envelope_store store = named(name, generation);
	cleanup_envelope struct envelope *envelope = NULL;
	struct envelope_opened opened = { 0 };
	int r;

	r = key ? envelope_read(&envelope) : -EINVAL;
	if (r == 0)
		r = envelope_open_with_key(envelope, key, &store, &opened);
	EVP_PKEY_free(key);
	return r < 0 ? fail("open", r) : opened_print(&opened);
}

static int task_find(const char *path, struct envelope **ret_envelope,
		     struct envelope_task *ret_task)
{
	cleanup_certificate struct certificate *certificate = NULL;
	int r;

	r = certificate_read(path, &certificate);
	if (r == 0)
		r = envelope_read(ret_envelope);
	return r < 0 ? r
		     : envelope_find(*ret_envelope, certificate, ENVELOPE_WRAP_NONE,
				     ret_task);
}

static int do_task(char **words)
{
	cleanup_envelope struct envelope *envelope = NULL;
	struct envelope_task task;
	char text[2 * 1024 + 1];
	int r;

	r = task_find(words[0], &envelope, &task);
	if (r < 0)
		return fail("task", r);
	hex_write(task.data, task.size, text);
	(void)printf("%d %u %s\n", (int)task.operation, task.oaep_hash, text);
	return 0;
}

static int do_open_by(char **words)
{
	struct envelope_store store = named(words[1], words[2]);
	cleanup_envelope struct envelope *envelope = NULL;
	cleanup_secret struct secret *given = NULL;
	struct envelope_opened opened = { 0 };
	struct envelope_task task;
	uint8_t bytes[1024];
	size_t size = strlen(words[3]) / 2;
	int r;

	if (size > sizeof(bytes) || !hex_parse(words[3], size, bytes))
		return fail("hex", -EINVAL);
	r = task_find(words[0], &envelope, &task);
	if (r == 0)
		r = secret_new_from(bytes, size, &given);
	if (r == 0)
		r = envelope_open(envelope, &task, given, &store, &opened);
	return r < 0 ? fail("open-by", r) : opened_print(&opened);
}

static int recovery_write(EVP_PKEY *key, const struct secret *passphrase, char **words)
{
	FILE *half = fopen(words[0], "we"), *locked = fopen(words[1], "we");
	uint8_t *der = NULL;
	size_t size = 0;
	int r;

	r = recovery_key_lock(key, passphrase, &der, &size);
	if (half && locked && r == 0) {
		(void)PEM_write_PUBKEY(half, key);
		(void)fwrite(der, 1, size, locked);
		(void)printf("%.*s\n", (int)secret_size(passphrase),
			     (const char *)secret_bytes_const(passphrase));
	}
	OPENSSL_free(der);
	return !half || fclose(half) != 0 || !locked || fclose(locked) != 0 ? -EIO : r;
}

static int do_recovery(char **words)
{
	cleanup_secret struct secret *passphrase = NULL;
	EVP_PKEY *key = NULL;
	int r;

	r = recovery_key_new(&key);
	if (r == 0)
		r = recovery_passphrase_new(&passphrase);
	if (r == 0)
		r = recovery_write(key, passphrase, words);
	EVP_PKEY_free(key);
	return r < 0 ? fail("recovery", r) : 0;
}

static int do_unlock(char **words)
{
	cleanup_secret struct secret *typed = NULL, *passphrase = NULL;
	FILE *file = fopen(words[0], "re");
	uint8_t der[RECOVERY_FILE_MAX];
	EVP_PKEY *key = NULL;
	size_t size;
	int r;

	if (!file)
		return fail(words[0], -errno);
	size = fread(der, 1, sizeof(der), file);
	(void)fclose(file);
	r = secret_new_from(words[1], strlen(words[1]), &typed);
	if (r == 0)
		r = recovery_passphrase_read(typed, &passphrase);
	if (r == 0)
		r = recovery_key_unlock(der, size, passphrase, &key);
	return r < 0 ? fail("unlock", r) : open_with(key, words[2], words[3]);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "seal") == 0 && argc >= 5)
		return do_seal(NULL, argc - 2, argv + 2);
	if (strcmp(word, "seal-as") == 0 && argc >= 6)
		return do_seal(argv[2], argc - 3, argv + 3);
	if (strcmp(word, "open") == 0 && argc == 5)
		return open_with(key_read(argv[2]), argv[3], argv[4]);
	if (strcmp(word, "task") == 0 && argc == 3)
		return do_task(argv + 2);
	if (strcmp(word, "open-by") == 0 && argc == 6)
		return do_open_by(argv + 2);
	if (strcmp(word, "recovery") == 0 && argc == 4)
		return do_recovery(argv + 2);
	if (strcmp(word, "unlock") == 0 && argc == 6)
		return do_unlock(argv + 2);
	(void)fprintf(stderr, "envelope-tool: see the beginning of envelope_tool.c\n");
	return 2;
}
