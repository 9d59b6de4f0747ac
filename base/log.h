/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h - messages and progress of long work, through a caller's sink.
 *
 * The library never prints. Whoever wants to see messages makes an sn_log and
 * hands it down; NULL means silence everywhere. */
#ifndef SN_BASE_LOG_H
#define SN_BASE_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_log_level {
  SN_LOG_ERROR,
  SN_LOG_WARN,
  SN_LOG_INFO,
  SN_LOG_DEBUG
} sn_log_level;

/* Called by one thread at a time (the sn_log holds a lock). */
typedef void sn_log_fn(void *user, sn_log_level level, const char *text);
/* done of total (total <= 0: not known), in `unit`s ("utterances"); last is
 * true once, at the end. */
typedef void sn_progress_fn(void *user, const char *what, const char *unit,
                            int64_t done, int64_t total, bool last);

typedef struct sn_log sn_log;
/* fn, progress: either may be NULL. level: messages above it are dropped. */
SN_NODISCARD sn_status sn_log_create(sn_log_fn *fn, sn_progress_fn *progress,
                                     void *user, sn_log_level level,
                                     sn_log **out, sn_err *err);
void sn_log_destroy(sn_log *l);
/* A sink for terminals: "warning: ..." on stderr, a progress line redrawn with
 * rate and time left (a line every 30 s when stderr is no terminal). Only
 * cli/ and tests call it. */
SN_NODISCARD sn_status sn_log_create_stderr(sn_log_level level, sn_log **out,
                                            sn_err *err);

void sn_log_msg(sn_log *l, sn_log_level level, const char *fmt, ...)
    SN_PRINTF(3, 4); /* l may be NULL */
#define sn_warn(l, ...) sn_log_msg((l), SN_LOG_WARN, __VA_ARGS__)
#define sn_info(l, ...) sn_log_msg((l), SN_LOG_INFO, __VA_ARGS__)
#define sn_debug(l, ...) sn_log_msg((l), SN_LOG_DEBUG, __VA_ARGS__)
/* Throttled: cheap enough for every item of a loop. */
void sn_log_progress(sn_log *l, const char *what, const char *unit,
                     int64_t done, int64_t total, bool last);

/* Asks long work to stop (safe in a signal handler); work that takes an
 * sn_log polls it and returns SN_ECANCEL. */
void sn_log_cancel(sn_log *l);
bool sn_log_cancelled(const sn_log *l);
#ifdef __cplusplus
}
#endif
#endif
