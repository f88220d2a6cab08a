/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling a new recovery key; see recovery_note.h.
 */
#include "hygied/recovery_note.h"

#include "hygied/recovery_key.h"
#include "hygied/requests.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define TRIES 3

static void ask(struct peer *peer)
{
	peer_ask(peer, PROMPT_ECHO, TEXT_STORE_FIRST_GROUP, NULL, 0);
}

/* The only time that the passphrase is anywhere. */
int recovery_note_send(struct recovery_note *note, struct peer *peer, const char *name)
{
	cleanup_secret struct secret *passphrase = NULL;
	cleanup_message struct wire_message *item = NULL;
	int r = recovery_key_new(&note->key);

	if (r == 0)
		r = recovery_passphrase_new(&passphrase);
	if (r == 0)
		r = recovery_key_lock(note->key, passphrase, &note->locked,
				      &note->locked_size);
	if (r < 0)
		return r;
	item = request_new_item("recovery");
	if (!item)
		return -ENOMEM;
	memcpy(note->group, secret_bytes(passphrase), RECOVERY_GROUP_SIZE);
	wire_add_string(item, TAG_STORE, name);
	wire_add_secret(item, TAG_SECRET, passphrase);
	wire_add_bytes(item, TAG_LOCKED_KEY, note->locked, note->locked_size);
	peer_send(peer, item);
	ask(peer);
	return 0;
}

/* As recovery_passphrase_read() forgives. */
static char forgive(char typed)
{
	if (typed >= 'a' && typed <= 'z')
		typed = (char)(typed - 'a' + 'A');
	return typed == 'O' ? '0' : typed == 'I' || typed == 'L' ? '1' : typed;
}

static bool is_first_group(const struct recovery_note *note, const struct secret *answer)
{
	const uint8_t *typed = secret_bytes_const(answer);

	if (secret_size(answer) != RECOVERY_GROUP_SIZE)
		return false;
	for (size_t i = 0; i < RECOVERY_GROUP_SIZE; i++)
		if (forgive((char)typed[i]) != note->group[i])
			return false;
	return true;
}

enum recovery_noted recovery_note_take(struct recovery_note *note, struct peer *peer,
				       const struct secret *answer)
{
	if (is_first_group(note, answer))
		return NOTE_TAKEN;
	if (secret_size(answer) == 0 || ++note->tries == TRIES)
		return NOTE_NOT_TAKEN;
	peer_say(peer, WIRE_WARNING, TEXT_STORE_OTHER_GROUP, NULL, 0);
	ask(peer);
	return NOTE_ASKED_AGAIN;
}

void recovery_note_forget(struct recovery_note *note)
{
	EVP_PKEY_free(note->key);
	OPENSSL_free(note->locked);
	wipe(note, sizeof(*note));
}
