/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two lines; see envelope_content.h.
 */
#include "hygied/envelope_content.h"

#include "hygied/envelope_own.h"
#include "libhygie/hex.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define RANDOM_SIZE 32
#define ANY_RECIPIENTS "-"
#define HASH_TEXT_SIZE ((size_t)2 * RECIPIENTS_HASH_SIZE + 1)
#define MARK_MAX 16
#define BINDING_MAX (MARK_MAX + 1 + STORE_NAME_MAX + 1 + 20 + 1 + HASH_TEXT_SIZE)

static const char *const marks[] = {
	[ENVELOPE_OF_STORE] = "hygie-store-1",
	[ENVELOPE_OF_USER] = "hygie-secret-1",
};

/* The second line, taken apart. */
struct binding {
	enum envelope_kind kind;
	char name[STORE_NAME_MAX + 1];
	char recipients[HASH_TEXT_SIZE];
	uint64_t generation;
};

static bool byte_is_name(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
}

static bool byte_is_base64(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '+' || byte == '/';
}

bool envelope_name_is_valid(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > STORE_NAME_MAX || name[0] == '-' || name[0] == '.')
		return false;
	for (size_t i = 0; i < size; i++)
		if (!byte_is_name((uint8_t)name[i]))
			return false;
	return true;
}

int envelope_secret_new(struct secret **ret_secret)
{
	cleanup_secret struct secret *bytes = NULL, *secret = NULL;
	int r;

	r = secret_new(RANDOM_SIZE, &bytes);
	if (r == 0)
		r = secret_new(ENVELOPE_SECRET_SIZE + 1, &secret); /* its terminator */
	if (r < 0)
		return r;
	if (RAND_priv_bytes(secret_bytes(bytes), RANDOM_SIZE) != 1 ||
	    EVP_EncodeBlock(secret_bytes(secret), secret_bytes(bytes), RANDOM_SIZE) !=
		    ENVELOPE_SECRET_SIZE)
		return -EIO;
	secret_set_size(secret, ENVELOPE_SECRET_SIZE);
	*ret_secret = secret;
	secret = NULL;
	return 0;
}

static bool line_is_secret(const uint8_t *line, size_t size)
{
	if (size != ENVELOPE_SECRET_SIZE || line[size - 1] != '=')
		return false;
	for (size_t i = 0; i + 1 < size; i++)
		if (!byte_is_base64(line[i]))
			return false;
	return true;
}

int envelope_content_write(const struct secret *secret,
			   const struct envelope_store *store, const uint8_t *hash,
			   struct secret **ret_content)
{
	cleanup_secret struct secret *content = NULL;
	char recipients[HASH_TEXT_SIZE], binding[BINDING_MAX + 2];
	int size, r;

	if (!line_is_secret(secret_bytes_const(secret), secret_size(secret)) ||
	    !envelope_name_is_valid(store->name) || store->generation == 0 ||
	    (size_t)store->kind >= array_size(marks))
		return -EINVAL;
	hex_write(hash, RECIPIENTS_HASH_SIZE, recipients);
	size = snprintf(binding, sizeof(binding), "\n%s %s %" PRIu64 " %s\n",
			marks[store->kind], store->name, store->generation, recipients);
	if (size < 0 || (size_t)size >= sizeof(binding))
		return -EINVAL;
	r = secret_new(CONTENT_SIZE_MAX, &content);
	if (r == 0)
		r = secret_append(content, secret_bytes_const(secret),
				  secret_size(secret));
	if (r == 0)
		r = secret_append(content, binding, (size_t)size);
	if (r < 0)
		return r;
	*ret_content = content;
	content = NULL;
	return 0;
}

/* Takes what stands before `end` off the line; false when that is not there, or is
 * nothing or too long for `size`. */
static bool word_take(const char **line, char end, char *ret_word, size_t size)
{
	const char *stop = strchr(*line, end);
	size_t length = stop ? (size_t)(stop - *line) : 0;

	if (length == 0 || length >= size)
		return false;
	memcpy(ret_word, *line, length);
	ret_word[length] = '\0';
	*line = stop + 1;
	return true;
}

/* A number as it is written here: no sign, no leading zero. */
static bool number_read(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text[0] == '0')
		return false;
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

static bool mark_read(const char *mark, enum envelope_kind *ret_kind)
{
	for (size_t i = 0; i < array_size(marks); i++)
		if (strcmp(mark, marks[i]) == 0) {
			*ret_kind = (enum envelope_kind)i;
			return true;
		}
	return false;
}

static bool binding_read(const char *line, struct binding *ret_binding)
{
	char mark[MARK_MAX], number[32];

	return word_take(&line, ' ', mark, sizeof(mark)) &&
	       mark_read(mark, &ret_binding->kind) &&
	       word_take(&line, ' ', ret_binding->name, sizeof(ret_binding->name)) &&
	       word_take(&line, ' ', number, sizeof(number)) &&
	       number_read(number, &ret_binding->generation) &&
	       word_take(&line, '\n', ret_binding->recipients,
			 sizeof(ret_binding->recipients)) &&
	       line[0] == '\0';
}

static enum envelope_verdict binding_judge(const struct binding *binding,
					   const char *recipients,
					   const struct envelope_store *expected)
{
	if (strcmp(binding->recipients, ANY_RECIPIENTS) != 0 &&
	    strcmp(binding->recipients, recipients) != 0)
		return ENVELOPE_OTHER_RECIPIENTS;
	if (binding->kind != expected->kind || strcmp(binding->name, expected->name) != 0)
		return ENVELOPE_OTHER_STORE;
	if (binding->generation < expected->generation)
		return ENVELOPE_OLDER;
	return ENVELOPE_OPEN;
}

/* Both lines of the content; false when it is not of that form. */
static bool lines_read(const struct secret *content, struct binding *ret_binding)
{
	const uint8_t *bytes = secret_bytes_const(content);
	size_t size = secret_size(content);
	char line[BINDING_MAX + 2];

	if (size <= ENVELOPE_SECRET_SIZE + 1 || bytes[ENVELOPE_SECRET_SIZE] != '\n' ||
	    !line_is_secret(bytes, ENVELOPE_SECRET_SIZE))
		return false;
	bytes += ENVELOPE_SECRET_SIZE + 1;
	size -= ENVELOPE_SECRET_SIZE + 1;
	if (size >= sizeof(line) || memchr(bytes, '\0', size))
		return false;
	memcpy(line, bytes, size);
	line[size] = '\0';
	return binding_read(line, ret_binding);
}

int envelope_content_read(const struct secret *content, const uint8_t *hash,
			  const struct envelope_store *expected,
			  struct envelope_opened *ret_opened)
{
	struct envelope_opened opened = { .verdict = ENVELOPE_SHUT };
	char recipients[HASH_TEXT_SIZE];
	struct binding binding;
	int r;

	hex_write(hash, RECIPIENTS_HASH_SIZE, recipients);
	if (lines_read(content, &binding))
		opened.verdict = binding_judge(&binding, recipients, expected);
	if (opened.verdict == ENVELOPE_OPEN) {
		r = secret_new_from(secret_bytes_const(content), ENVELOPE_SECRET_SIZE,
				    &opened.secret);
		if (r < 0)
			return r;
		opened.generation = binding.generation;
		opened.names_recipients = strcmp(binding.recipients, ANY_RECIPIENTS) != 0;
	}
	*ret_opened = opened;
	return 0;
}
