/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU's `ccid-card-passthru`: messages of the vscard protocol, version 2, over the TCP
 * port of its character device. Each has a head of three big-endian numbers (type, reader,
 * length). The connection stays when the card is pulled, which is a message of its own.
 * The guest's reader tells nothing of power and resets.
 */
#pragma once

#include "card/driver.h"

extern const struct driver vscard_driver;
