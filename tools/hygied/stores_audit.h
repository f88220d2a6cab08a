/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit lines of record stores that are opened and closed.
 */
#pragma once

#include "hygied/keeper.h"
#include "libhygie/outcome.h"

/* "store-open", "store-close", "store-closed", "store-lost"; detail may be NULL. */
void stores_audit(const char *store, const char *event, enum hygie_outcome outcome,
		  const char *detail);

/* A "store-busy" line for each program that keeps it from being closed. */
void stores_audit_holders(const char *store, const char *event,
			  const struct keeper_holder *holders, size_t count);

/* Why a keeper did not do what it was told, in English words for the audit. */
const char *stores_failure_word(enum keeper_failure failure);

/* The outcome of "store-closed", by the keeper's CLOSED: 0 is what was asked for. */
enum hygie_outcome stores_closed_outcome(enum keeper_failure failure);
