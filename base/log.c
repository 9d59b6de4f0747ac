/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and progress. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str_internal.h"

#define MESSAGE_BYTES 2048
#define REDRAW_S 0.2      /* of a terminal's progress line */
#define LINE_EVERY_S 30.0 /* where stderr is no terminal */
#define NAME_BYTES 64

/* The work whose progress is shown. */
typedef struct work {
  char what[NAME_BYTES];
  bool is_active, was_shown;
  double start_s, shown_s;
  int64_t first_done;
} work;

struct sn_log {
  pthread_mutex_t lock;
  sn_log_fn *fn;
  sn_progress_fn *progress;
  void *user;
  sn_log_level level;
  double interval_s; /* between two calls of progress */
  atomic_bool cancelled;
  work work;
  /* The sink for terminals: */
  bool is_terminal, has_line;
};

static double now_s(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) return 0;
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

sn_status sn_log_create(sn_log_fn *fn, sn_progress_fn *progress, void *user,
                        sn_log_level level, sn_log **out, sn_err *err) {
  *out = NULL;
  sn_log *const l = sn_calloc(1, sizeof *l);
  if (l == NULL) return sn_fail_nomem(err, "log");
  const int e = pthread_mutex_init(&l->lock, NULL);
  if (e != 0) {
    sn_free(l);
    return sn_fail_errno(err, e, "log: no lock");
  }
  l->fn = fn;
  l->progress = progress;
  l->user = user;
  l->level = level;
  l->interval_s = REDRAW_S;
  atomic_init(&l->cancelled, false);
  *out = l;
  return SN_OK;
}

void sn_log_destroy(sn_log *l) {
  if (l == NULL) return;
  (void)pthread_mutex_destroy(&l->lock);
  sn_free(l);
}

void sn_log_msg(sn_log *l, sn_log_level level, const char *fmt, ...) {
  if (l == NULL || level > l->level || l->fn == NULL) return;
  char text[MESSAGE_BYTES];
  va_list ap;
  va_start(ap, fmt);
  const sni_locale c = sni_locale_enter();
  (void)vsnprintf(text, sizeof text, fmt, ap);
  sni_locale_leave(c);
  va_end(ap);
  (void)pthread_mutex_lock(&l->lock);
  l->fn(l->user, level, text);
  (void)pthread_mutex_unlock(&l->lock);
}

static void start_work(work *w, const char *what, int64_t done, double now) {
  memset(w, 0, sizeof *w);
  (void)snprintf(w->what, sizeof w->what, "%s", what);
  w->is_active = true;
  w->start_s = w->shown_s = now;
  w->first_done = done;
}

void sn_log_progress(sn_log *l, const char *what, const char *unit,
                     int64_t done, int64_t total, bool last) {
  if (l == NULL || l->progress == NULL) return;
  const double now = now_s();
  (void)pthread_mutex_lock(&l->lock);
  work *const w = &l->work;
  if (!w->is_active || strncmp(w->what, what, sizeof w->what - 1) != 0)
    start_work(w, what, done, now);
  if (last || now - w->shown_s >= l->interval_s) {
    w->shown_s = now;
    l->progress(l->user, what, unit, done, total, last);
    w->was_shown = true;
  }
  if (last) w->is_active = false;
  (void)pthread_mutex_unlock(&l->lock);
}

void sn_log_cancel(sn_log *l) { atomic_store(&l->cancelled, true); }

bool sn_log_cancelled(const sn_log *l) {
  return l != NULL && atomic_load(&l->cancelled);
}

/* ---- The sink for terminals ---- */

static void erase_line(sn_log *l) {
  if (l->has_line) (void)fputs("\r\033[K", stderr);
  l->has_line = false;
}

static void to_stderr(void *user, sn_log_level level, const char *text) {
  sn_log *const l = user;
  static const char *const heads[] = {"error: ", "warning: ", "", "debug: "};
  erase_line(l);
  (void)fprintf(stderr, "%s%s\n", heads[level], text);
}

/* "3 h 05 min", "4 min 10 s", "12 s" */
static void format_time(double s, char *to, size_t n) {
  const long all = s < 3.6e8 ? (long)(s + 0.5) : 360000000L;
  if (all >= 3600)
    (void)snprintf(to, n, "%ld h %02ld min", all / 3600, all / 60 % 60);
  else if (all >= 60)
    (void)snprintf(to, n, "%ld min %02ld s", all / 60, all % 60);
  else
    (void)snprintf(to, n, "%ld s", all);
}

static void progress_to_stderr(void *user, const char *what, const char *unit,
                               int64_t done, int64_t total, bool last) {
  sn_log *const l = user;
  const work *const w = &l->work;
  /* Short work that never showed a line needs none at its end. */
  if (last && !w->was_shown) return;
  const double spent = w->shown_s - w->start_s;
  const double rate =
      spent > 0 ? (double)(done - w->first_done) / spent : 0; /* per second */
  char counts[96], rest[64] = "", duration[32];
  if (total > 0)
    (void)snprintf(counts, sizeof counts, "%lld of %lld %s (%d %%)",
                   (long long)done, (long long)total, unit,
                   (int)(100.0 * (double)done / (double)total));
  else
    (void)snprintf(counts, sizeof counts, "%lld %s", (long long)done, unit);
  if (last) {
    format_time(spent, duration, sizeof duration);
    (void)snprintf(rest, sizeof rest, ", done in %s", duration);
  } else if (total > done && rate > 0) {
    format_time((double)(total - done) / rate, duration, sizeof duration);
    (void)snprintf(rest, sizeof rest, ", %s left", duration);
  }
  erase_line(l);
  (void)fprintf(stderr, "%s: %s, %.*f/s%s", what, counts, rate < 10 ? 1 : 0,
                rate, rest);
  if (l->is_terminal && !last) {
    l->has_line = true;
    (void)fflush(stderr);
  } else {
    (void)fputc('\n', stderr);
  }
}

sn_status sn_log_create_stderr(sn_log_level level, sn_log **out, sn_err *err) {
  SN_TRY(sn_log_create(to_stderr, progress_to_stderr, NULL, level, out, err));
  sn_log *const l = *out;
  l->user = l;
  l->is_terminal = isatty(STDERR_FILENO) != 0;
  l->interval_s = l->is_terminal ? REDRAW_S : LINE_EVERY_S;
  return SN_OK;
}
