/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's socket: /run/hygie/store/NAME.sock, for root alone. Orders go to the keep,
 * reports back to whom they concern. When nobody is connected and the store is shut, the
 * keeper is not needed, and ends.
 */
#pragma once

#include "libhygie/attributes.h"

#include <systemd/sd-event.h>

struct door;

/* Makes the folder (0700) and the socket, and serves. The caller frees the result. */
int door_open(sd_event *loop, const char *name, struct door **ret_door) must_check;

/* We are to end: the store is closed, then the loop is left. */
void door_end(struct door *door);

/* Takes the socket away. Takes NULL. */
void door_free(struct door *door);
