/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that a program watches (inotify, fanotify), as a file manager does with what it
 * shows. Nothing is open then, and nothing keeps the store from being unmounted; but the
 * kernel keeps what is watched, and so the key of it, as long as its file system is mounted
 * somewhere.
 */
#pragma once

#include "hygie-store/subject.h"
#include "libhygie/attributes.h"

/*
 * Whether a process watches a file or folder of an fscrypt's. `process`: its folder of /proc;
 * `descriptor`: a name in fd/ of that; `disk`: of subject_open_disk().
 */
bool watches_subject(const struct subject *subject, int disk, int process,
		     const char *descriptor);
