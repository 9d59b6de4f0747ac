/* SPDX-License-Identifier: Apache-2.0 */
/* base/status.h - how every function that can fail says so.
 *
 * A failure has two faces, and they stay apart:
 *   sn_status  the kind of failure, for code to decide on;
 *   sn_err     the sentence that a person needs: what was expected, what was
 *              found, where (path:line, byte offset, utterance), what to do.
 * A mistake that only a bug in the calling code can make is neither: it is an
 * assertion. The library never prints, exits or aborts on bad data. */
#ifndef SN_BASE_STATUS_H
#define SN_BASE_STATUS_H

#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

/* One list: the enum, the names and the texts are all made from it. */
#define SN_STATUS_MAP(X)                            \
  X(OK, "success")                                  \
  X(ENOMEM, "out of memory")                        \
  X(EARG, "option or argument out of range")        \
  X(EIO, "file could not be read or written")       \
  X(EFORMAT, "file does not follow its format")     \
  X(EMISMATCH, "two inputs do not belong together") \
  X(ELIMIT, "a configured limit was reached")       \
  X(EEXTERNAL, "a third-party library failed")      \
  X(ECANCEL, "interrupted")

typedef enum sn_status {
#define X(name, text) SN_##name,
  SN_STATUS_MAP(X)
#undef X
      SN_STATUS_COUNT
} sn_status;

/* Owned by the caller, starts zeroed ({0}), holds no heap memory: to say "out
 * of memory" must not need memory. */
typedef struct sn_err {
  sn_status code;
  char msg[768]; /* NUL-terminated, cut to fit */
} sn_err;

#define SN_NODISCARD __attribute__((warn_unused_result))
#define SN_NORETURN __attribute__((noreturn))
#define SN_PRINTF(f, a) __attribute__((format(printf, f, a)))
/* Marks what libsenone exports; all else is hidden in the shared library. */
#define SN_API __attribute__((visibility("default")))

/* Names such as "SN_EIO" and texts; never NULL, also for unknown values. */
const char *sn_status_name(sn_status s);
const char *sn_status_text(sn_status s);

/* Fills *err (which may be NULL) and returns `code`. The first failure wins:
 * an err that already holds one keeps it. */
sn_status sn_fail(sn_err *err, sn_status code, const char *fmt, ...)
    SN_PRINTF(3, 4);

/* The same for a failed system call: ": " and strerror(errno_value) follow. */
sn_status sn_fail_errno(sn_err *err, int errno_value, const char *fmt, ...)
    SN_PRINTF(3, 4);

/* Puts "context: " before the message while a failure travels up. */
void sn_err_context(sn_err *err, const char *fmt, ...) SN_PRINTF(2, 3);

/* Ready for the next use. */
void sn_err_clear(sn_err *err);

/* Shorthand for sn_fail(err, SN_ENOMEM, "<what>: out of memory"). */
sn_status sn_fail_nomem(sn_err *err, const char *what);

/* For functions that own nothing at that point; otherwise `goto fail`. */
#define SN_TRY(expr)                          \
  do {                                        \
    const sn_status sn_try_s_ = (expr);       \
    if (sn_try_s_ != SN_OK) return sn_try_s_; \
  } while (0)

/* Sets the variable `s` and jumps to `fail` when expr fails. */
#define SN_TRY_GOTO(s, expr)     \
  do {                           \
    (s) = (expr);                \
    if ((s) != SN_OK) goto fail; \
  } while (0)

/* SN_ASSERT is cheap and stays on in Release (CMake option SENONE_HARDENING);
 * SN_ASSERT_SLOW may walk whole structures and exists in Debug only. */
SN_NORETURN void sni_bug(const char *cond, const char *file, int line);
#ifdef SN_NO_HARDENING
#define SN_ASSERT(cond) ((void)sizeof(cond))
#else
#define SN_ASSERT(cond) ((cond) ? (void)0 : sni_bug(#cond, __FILE__, __LINE__))
#endif
#ifdef NDEBUG
#define SN_ASSERT_SLOW(cond) ((void)sizeof(cond))
#else
#define SN_ASSERT_SLOW(cond) SN_ASSERT(cond)
#endif
#ifdef __cplusplus
}
#endif
#endif
