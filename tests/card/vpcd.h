/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcscd's vpcd driver: frames of a two-byte length and data over TCP, where being
 * connected is being in the reader. Frames of one byte are the reader's; longer ones are
 * command APDUs.
 */
#pragma once

#include "card/driver.h"

extern const struct driver vpcd_driver;
