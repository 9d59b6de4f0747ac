/* SPDX-License-Identifier: Apache-2.0 */
/* The sink of the command: messages on stderr, and a progress line that is
 * redrawn on a terminal or repeated now and then in a log file. Progress shows
 * only once work has taken PATIENCE_S, so that short work stays silent. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_internal.h"
#include "base/mem.h"

#define PATIENCE_S 1.0
#define LOG_FILE_EVERY_S 30.0

typedef struct sink {
  bool is_terminal;
  char what[64];       /* work that progress was last reported for */
  double begun_s;      /* when it began */
  double next_s;       /* when to write the next line */
  size_t line_columns; /* of the line on the terminal, to wipe it */
} sink;

static double now_s(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void wipe(sink *k) {
  if (k->line_columns > 0) fprintf(stderr, "\r%*s\r", (int)k->line_columns, "");
  k->line_columns = 0;
}

static void on_message(void *user, sn_log_level level, const char *text) {
  sink *const k = user;
  wipe(k);
  fprintf(stderr, "%s%s\n",
          level == SN_LOG_ERROR  ? "error: "
          : level == SN_LOG_WARN ? "warning: "
                                 : "",
          text);
}

/* "1:02:03" or "2:03" */
static void duration(double s, char *to, size_t n) {
  const long t = (long)fmin(s + 0.5, 1e9);
  if (t >= 3600)
    (void)snprintf(to, n, "%ld:%02ld:%02ld", t / 3600, t / 60 % 60, t % 60);
  else
    (void)snprintf(to, n, "%ld:%02ld", t / 60, t % 60);
}

static void on_progress(void *user, const char *what, const char *unit,
                        int64_t done, int64_t total, bool last) {
  sink *const k = user;
  const double now = now_s();
  if (strncmp(k->what, what, sizeof k->what - 1) != 0) {
    (void)snprintf(k->what, sizeof k->what, "%s", what);
    k->begun_s = now;
    k->next_s = now + (k->is_terminal ? PATIENCE_S : LOG_FILE_EVERY_S);
  }
  const double spent = now - k->begun_s;
  if (last) {
    wipe(k);
    k->what[0] = '\0';
    if (k->is_terminal || spent < LOG_FILE_EVERY_S) return;
  } else if (now < k->next_s) {
    return;
  }
  char line[192], took[32], left[32] = "";
  duration(spent, took, sizeof took);
  const double rate = spent > 0.0 ? (double)done / spent : 0.0;
  int n;
  if (total > 0) {
    if (rate > 0.0 && !last)
      duration((double)(total - done) / rate, left, sizeof left);
    n = snprintf(line, sizeof line,
                 "%s: %lld of %lld %s (%.0f %%, %.3g/s), %s%s%s", what,
                 (long long)done, (long long)total, unit,
                 100.0 * (double)done / (double)total, rate, took,
                 left[0] != '\0' ? ", left " : "", left);
  } else {
    n = snprintf(line, sizeof line, "%s: %lld %s (%.3g/s), %s", what,
                 (long long)done, unit, rate, took);
  }
  const size_t columns = n < 0 ? 0 : strlen(line);
  if (k->is_terminal) {
    wipe(k);
    fputs(line, stderr);
    fflush(stderr);
    k->line_columns = columns;
    k->next_s = now;
  } else {
    fprintf(stderr, "%s\n", line);
    k->next_s = now + LOG_FILE_EVERY_S;
  }
}

static void destroy_sink(void *user) {
  wipe(user);
  sn_free(user);
}

sn_status sn_log_create_stderr(sn_log_level level, sn_log **out, sn_err *err) {
  *out = NULL;
  sink *const k = sn_calloc(1, sizeof *k);
  if (k == NULL) return sn_fail_nomem(err, "log");
  k->is_terminal = isatty(STDERR_FILENO) == 1;
  const sn_status s =
      sn_log_create(on_message, level == SN_LOG_ERROR ? NULL : on_progress, k,
                    level, out, err);
  if (s != SN_OK) {
    sn_free(k);
    return s;
  }
  sni_log_own_user(*out, destroy_sink);
  return SN_OK;
}
