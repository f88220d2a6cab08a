/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The login keyring of GNOME's keyring daemon, over the session bus: by the daemon's own
 * interface for programs that know the password
 * (org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface), and the Secret Service API
 * for the rest. The bus hears the passwords in plain: whoever may listen there, the
 * person's own programs, may ask the open keyring as well.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/secret.h"

#include <stdbool.h>

struct keyring;

/* Connects to the session bus and has the daemon there, starting it where it is not.
 * 0; -ENOTCONN: no session bus; -ENOSYS: nobody there keeps secrets; -EOPNOTSUPP: somebody
 * other than GNOME's daemon; another errno. */
int keyring_open(struct keyring **ret_keyring) must_check;

/* Takes NULL. */
void keyring_close(struct keyring *keyring);
define_cleanup(cleanup_keyring_function, struct keyring, keyring_close)
#define cleanup_keyring cleanup_with(cleanup_keyring_function)

	/* Whether there is a login keyring. 0 or an errno. */
	int keyring_exists(struct keyring *keyring, bool *ret_exists) must_check;

/* Gives the login keyring the password `new`. 0; -EACCES: `old` is not its password. */
int keyring_change(struct keyring *keyring, const struct secret *old,
		   const struct secret *new) must_check;

/* Makes a login keyring with that password. 0 or an errno. */
int keyring_create(struct keyring *keyring, const struct secret *password) must_check;
