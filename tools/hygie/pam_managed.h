/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Debian's pam-auth-update(8) keeps: which of our profiles are enabled, and whether
 * somebody has edited its blocks in /etc/pam.d/common-*, for then it changes nothing and
 * still exits 0.
 */
#pragma once

#include "pam_findings.h"

/* Our profiles, as bits. */
enum pam_profile {
	PROFILE_OPTIONAL = 1u << 0,
	PROFILE_REQUIRED = 1u << 1,
	PROFILE_SESSION = 1u << 2,
	PROFILE_PIN_CHANGE = 1u << 3,
};
#define PROFILE_COUNT 4
#define PROFILE_ALL 0xFu

/* Where it keeps things: "/etc/pam.d", "/var/lib/pam" in production. */
struct pam_managed {
	const char *folder, *state;
};
extern const struct pam_managed pam_managed_system;

/* The five files, without "common-": "auth", ..., "session-noninteractive". */
#define PAM_MANAGED_FILES 5
extern const char *const pam_managed_files[PAM_MANAGED_FILES];

/* A profile's name: "hygie-required". `i` below PROFILE_COUNT; its bit is 1 << i. */
const char *pam_profile_name(unsigned i);

/* Which of ours are in what pam-auth-update wrote last. */
unsigned pam_profiles_enabled(const struct pam_managed *managed);

/* Adds an error for each file that pam-auth-update would leave alone. */
void pam_managed_check(const struct pam_managed *managed, struct pam_findings *findings);
