/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrappers of what hygied alone calls: events, registry, readers, certificates,
 * processes.
 */
#include "fault/fault.h"

#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <winscard.h>

FAULT(int, sd_event_add_io,
      (sd_event * loop, sd_event_source **source, int fd, uint32_t events,
       sd_event_io_handler_t handler, void *context),
      (loop, source, fd, events, handler, context), -ENOMEM, ENOMEM)
FAULT(int, sd_event_add_time,
      (sd_event * loop, sd_event_source **source, clockid_t clock, uint64_t usec,
       uint64_t accuracy, sd_event_time_handler_t handler, void *context),
      (loop, source, clock, usec, accuracy, handler, context), -ENOMEM, ENOMEM)
FAULT(int, sqlite3_step, (sqlite3_stmt * statement), (statement), SQLITE_IOERR, EIO)
FAULT(int, sqlite3_bind_blob,
      (sqlite3_stmt * statement, int index, const void *bytes, int size,
       void (*done)(void *)),
      (statement, index, bytes, size, done), SQLITE_NOMEM, ENOMEM)
FAULT(int, sqlite3_bind_text,
      (sqlite3_stmt * statement, int index, const char *text, int size,
       void (*done)(void *)),
      (statement, index, text, size, done), SQLITE_NOMEM, ENOMEM)
FAULT(const void *, sqlite3_column_blob, (sqlite3_stmt * statement, int index),
      (statement, index), NULL, ENOMEM)
FAULT(const unsigned char *, sqlite3_column_text, (sqlite3_stmt * statement, int index),
      (statement, index), NULL, ENOMEM)
FAULT(LONG, SCardEstablishContext,
      (DWORD scope, LPCVOID first, LPCVOID second, LPSCARDCONTEXT context),
      (scope, first, second, context), SCARD_F_INTERNAL_ERROR, EIO)
FAULT(LONG, SCardConnect,
      (SCARDCONTEXT context, LPCSTR reader, DWORD share, DWORD protocols,
       LPSCARDHANDLE card, LPDWORD protocol),
      (context, reader, share, protocols, card, protocol), SCARD_E_SHARING_VIOLATION, EIO)
FAULT(LONG, SCardBeginTransaction, (SCARDHANDLE card), (card), SCARD_F_COMM_ERROR, EIO)
FAULT(LONG, SCardEndTransaction, (SCARDHANDLE card, DWORD disposition),
      (card, disposition), SCARD_F_COMM_ERROR, EIO)
FAULT(LONG, SCardDisconnect, (SCARDHANDLE card, DWORD disposition), (card, disposition),
      SCARD_F_COMM_ERROR, EIO)
FAULT(EVP_MD_CTX *, EVP_MD_CTX_new, (void), (), NULL, ENOMEM)
FAULT(int, EVP_DigestVerifyInit,
      (EVP_MD_CTX * context, EVP_PKEY_CTX **key_context, const EVP_MD *digest,
       ENGINE *engine, EVP_PKEY *key),
      (context, key_context, digest, engine, key), 0, ENOMEM)
FAULT(int, EVP_DigestVerify,
      (EVP_MD_CTX * context, const unsigned char *signature, size_t signature_size,
       const unsigned char *bytes, size_t size),
      (context, signature, signature_size, bytes, size), -1, ENOMEM)
FAULT(X509_STORE_CTX *, X509_STORE_CTX_new, (void), (), NULL, ENOMEM)
FAULT(int, X509_STORE_CTX_init,
      (X509_STORE_CTX * context, X509_STORE *store, X509 *certificate,
       STACK_OF(X509) * chain),
      (context, store, certificate, chain), 0, ENOMEM)
FAULT(int, X509_verify_cert, (X509_STORE_CTX * context), (context), -1, ENOMEM)
FAULT(int, pthread_create,
      (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *),
       void *argument),
      (thread, attributes, start, argument), EAGAIN, EAGAIN)
FAULT(int, pidfd_send_signal, (int fd, int number, siginfo_t *info, unsigned flags),
      (fd, number, info, flags), -1, EIO)
FAULT(int, waitid, (idtype_t kind, id_t id, siginfo_t *info, int options),
      (kind, id, info, options), -1, ECHILD)
FAULT(int, eventfd_write, (int fd, eventfd_t value), (fd, value), -1, EIO)

FAULT(int, fsync, (int fd), (fd), -1, EIO)
FAULT(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EIO)
FAULT(int, rename, (const char *from, const char *to), (from, to), -1, EIO)
FAULT(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, ENOSPC)
FAULT(int, flock, (int fd, int operation), (fd, operation), -1, ENOLCK)
FAULT(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), (), NULL, ENOMEM)

/* It resets whatever it says. */
int __real_sqlite3_reset(sqlite3_stmt *statement);
int __wrap_sqlite3_reset(sqlite3_stmt *statement);
int __wrap_sqlite3_reset(sqlite3_stmt *statement)
{
	int result = __real_sqlite3_reset(statement);

	return fault_due("sqlite3_reset") ? SQLITE_IOERR : result;
}

int __real_clone(int (*start)(void *), void *stack, int flags, void *argument, ...);
int __wrap_clone(int (*start)(void *), void *stack, int flags, void *argument, ...);
int __wrap_clone(int (*start)(void *), void *stack, int flags, void *argument, ...)
{
	va_list arguments;
	int *pidfd;

	if (fault_due("clone")) {
		errno = EAGAIN;
		return -1;
	}
	va_start(arguments, argument);
	pidfd = va_arg(arguments, int *);
	va_end(arguments);
	return __real_clone(start, stack, flags, argument, pidfd);
}
