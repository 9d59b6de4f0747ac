/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and progress to a caller's functions, one at a time. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/log_internal.h"
#include "base/mem.h"

/* Progress is passed on at most this often; the sink may thin it further. */
#define PROGRESS_EVERY_MS 100

struct sn_log {
  sn_log_fn *fn;
  sn_progress_fn *progress;
  void *user;
  void (*destroy_user)(void *user); /* NULL: not ours */
  sn_log_level level;
  pthread_mutex_t lock;
  atomic_bool cancelled;
  atomic_llong next_progress_ms;
};

static long long now_ms(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

sn_status sn_log_create(sn_log_fn *fn, sn_progress_fn *progress, void *user,
                        sn_log_level level, sn_log **out, sn_err *err) {
  *out = NULL;
  sn_log *const l = sn_calloc(1, sizeof *l);
  if (l == NULL) return sn_fail_nomem(err, "log");
  l->fn = fn;
  l->progress = progress;
  l->user = user;
  l->level = level;
  atomic_init(&l->cancelled, false);
  atomic_init(&l->next_progress_ms, 0);
  if (pthread_mutex_init(&l->lock, NULL) != 0) {
    sn_free(l);
    return sn_fail(err, SN_ENOMEM, "log: no mutex");
  }
  *out = l;
  return SN_OK;
}

void sni_log_own_user(sn_log *l, void (*destroy_user)(void *user)) {
  l->destroy_user = destroy_user;
}

void sn_log_destroy(sn_log *l) {
  if (l == NULL) return;
  if (l->destroy_user != NULL) l->destroy_user(l->user);
  (void)pthread_mutex_destroy(&l->lock);
  sn_free(l);
}

void sn_log_msg(sn_log *l, sn_log_level level, const char *fmt, ...) {
  if (l == NULL || l->fn == NULL || level > l->level) return;
  char text[2048]; /* longer messages are cut */
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  (void)pthread_mutex_lock(&l->lock);
  l->fn(l->user, level, text);
  (void)pthread_mutex_unlock(&l->lock);
}

void sn_log_progress(sn_log *l, const char *what, const char *unit,
                     int64_t done, int64_t total, bool last) {
  if (l == NULL || l->progress == NULL) return;
  const long long now = now_ms();
  if (!last && now < atomic_load(&l->next_progress_ms)) return;
  (void)pthread_mutex_lock(&l->lock);
  atomic_store(&l->next_progress_ms, now + PROGRESS_EVERY_MS);
  l->progress(l->user, what, unit, done, total, last);
  (void)pthread_mutex_unlock(&l->lock);
}

void sn_log_cancel(sn_log *l) {
  if (l != NULL) atomic_store(&l->cancelled, true);
}

bool sn_log_cancelled(const sn_log *l) {
  return l != NULL && atomic_load(&l->cancelled);
}
