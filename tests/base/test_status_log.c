/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, the heap's door, messages and progress. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"

static void every_status_has_a_name_and_a_text(void **state) {
  (void)state;
  for (int s = 0; s < SN_STATUS_COUNT; s++) {
    assert_int_equal(strncmp(sn_status_name((sn_status)s), "SN_", 3), 0);
    assert_true(strlen(sn_status_text((sn_status)s)) > 3);
  }
  assert_string_equal(sn_status_name(SN_EIO), "SN_EIO");
  assert_string_equal(sn_status_name((sn_status)99), "SN_UNKNOWN");
}

static void the_first_failure_wins_and_gathers_context(void **state) {
  (void)state;
  sn_err err = {0};
  assert_int_equal(sn_fail(&err, SN_EFORMAT, "line %d", 3), SN_EFORMAT);
  assert_int_equal(sn_fail(&err, SN_EIO, "later"), SN_EIO);
  sn_err_context(&err, "model '%s'", "m");
  assert_int_equal(err.code, SN_EFORMAT);
  assert_string_equal(err.msg, "model 'm': line 3");
  sn_err_clear(&err);
  sn_err_context(&err, "nothing to say");
  assert_string_equal(err.msg, "");
  assert_int_equal(sn_fail_errno(&err, ENOENT, "open '%s'", "x"), SN_EIO);
  assert_string_equal(err.msg, "open 'x': No such file or directory");
  assert_int_equal(sn_fail(NULL, SN_EARG, "x"), SN_EARG);
  assert_int_equal(sn_fail_nomem(NULL, "x"), SN_ENOMEM);
}

static void long_messages_are_cut_not_overrun(void **state) {
  (void)state;
  sn_err err = {0};
  char big[3000];
  memset(big, 'x', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  (void)sn_fail(&err, SN_EIO, "%s", big);
  assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
  for (int i = 0; i < 5; i++) {
    sn_err_context(&err, "%s", big);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
  }
  sn_err_clear(&err);
  (void)sn_fail_errno(&err, EIO, "%s", big);
  assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

static void the_heap_counts_and_fails_on_demand(void **state) {
  (void)state;
  const long before = sn_mem_live();
  int *p = sn_calloc(10, sizeof *p);
  for (int i = 0; i < 10; i++) assert_int_equal(p[i], 0);
  assert_int_equal(sn_mem_live(), before + 1);
  sn_mem_fail_after(1);
  int *q = sn_realloc(p, 20, sizeof *p);
  assert_non_null(q);
  assert_null(sn_realloc(q, 40, sizeof *q)); /* the second fails, q stays */
  assert_true(sn_mem_fault_fired());
  q[19] = 1;
  char *const s = sn_strdup("later ones succeed");
  assert_non_null(s);
  sn_mem_fail_after(-1);
  assert_null(sn_calloc(SIZE_MAX / 2, 3));
  assert_null(sn_realloc(NULL, SIZE_MAX / 2, 3));
  assert_null(sn_calloc_aligned(SIZE_MAX / 4, 4));
  char *const a = sn_calloc_aligned(3, 7);
  assert_int_equal((uintptr_t)a % 64, 0);
  for (int i = 0; i < 21; i++) assert_int_equal(a[i], 0);
  sn_free_aligned(a);
  sn_free(s);
  sn_free(q);
  sn_free(NULL);
  assert_int_equal(sn_mem_live(), before);
}

/* ---- Messages ---- */

typedef struct sink {
  char text[4096];
  int n_messages, n_progress, n_last;
  int64_t done, total;
  int inside; /* calls at this moment */
} sink;

static void take_message(void *user, sn_log_level level, const char *text) {
  sink *const k = user;
  assert_int_equal(k->inside++, 0);
  k->n_messages++;
  (void)snprintf(k->text, sizeof k->text, "%d %s", (int)level, text);
  k->inside--;
}

static void take_progress(void *user, const char *what, const char *unit,
                          int64_t done, int64_t total, bool last) {
  sink *const k = user;
  assert_int_equal(k->inside++, 0);
  assert_string_equal(what, "training");
  assert_string_equal(unit, "frames");
  k->n_progress++;
  k->n_last += last;
  k->done = done;
  k->total = total;
  k->inside--;
}

static void messages_above_the_level_are_dropped(void **state) {
  (void)state;
  sink k = {{0}, 0, 0, 0, 0, 0, 0};
  sn_log *l = NULL;
  assert_int_equal(
      sn_log_create(take_message, take_progress, &k, SN_LOG_WARN, &l, NULL),
      SN_OK);
  sn_info(l, "no");
  sn_debug(l, "no");
  assert_int_equal(k.n_messages, 0);
  sn_warn(l, "yes %d", 1);
  assert_string_equal(k.text, "1 yes 1");
  sn_log_msg(l, SN_LOG_ERROR, "bad");
  assert_string_equal(k.text, "0 bad");
  char big[5000];
  memset(big, 'x', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  sn_warn(l, "%s", big);
  assert_int_equal(k.n_messages, 3);
  sn_log_destroy(l);
  sn_warn(NULL, "silence");
  sn_log_progress(NULL, "x", "y", 1, 2, true);
  sn_log_destroy(NULL);
}

static void progress_is_thinned_but_its_end_is_told(void **state) {
  (void)state;
  sink k = {{0}, 0, 0, 0, 0, 0, 0};
  sn_log *l = NULL;
  assert_int_equal(
      sn_log_create(NULL, take_progress, &k, SN_LOG_WARN, &l, NULL), SN_OK);
  enum { N = 200000 };
  for (int i = 1; i <= N; i++)
    sn_log_progress(l, "training", "frames", i, N, i == N);
  assert_true(k.n_progress < N / 10);
  assert_int_equal(k.n_last, 1);
  assert_int_equal(k.done, N);
  assert_int_equal(k.total, N);
  sn_log_destroy(l);
}

static void *shout(void *arg) {
  for (int i = 0; i < 2000; i++) {
    sn_warn(arg, "message %d", i);
    sn_log_progress(arg, "training", "frames", i, 0, i % 100 == 99);
  }
  return NULL;
}

static void the_sink_is_called_by_one_thread_at_a_time(void **state) {
  (void)state;
  sink k = {{0}, 0, 0, 0, 0, 0, 0};
  sn_log *l = NULL;
  pthread_t threads[4];
  assert_int_equal(
      sn_log_create(take_message, take_progress, &k, SN_LOG_WARN, &l, NULL),
      SN_OK);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, shout, l), 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(k.n_messages, 4 * 2000);
  assert_int_equal(k.n_last, 4 * 20);
  sn_log_destroy(l);
}

static void a_log_carries_the_wish_to_stop(void **state) {
  (void)state;
  sn_log *l = NULL;
  assert_int_equal(sn_log_create(NULL, NULL, NULL, SN_LOG_WARN, &l, NULL),
                   SN_OK);
  assert_false(sn_log_cancelled(l));
  assert_false(sn_log_cancelled(NULL));
  sn_log_cancel(l);
  assert_true(sn_log_cancelled(l));
  sn_log_destroy(l);
}

/* What the sink for stderr writes while fn runs. */
static void captured(sn_log_level level, char *to, size_t n) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  const int saved = dup(STDERR_FILENO);
  assert_true(saved >= 0);
  assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
  (void)close(ends[1]);
  sn_log *l = NULL;
  const sn_status s = sn_log_create_stderr(level, &l, NULL);
  if (s == SN_OK) {
    sn_warn(l, "look out");
    sn_info(l, "by the way");
    sn_debug(l, "inside");
    for (int i = 0; i <= 1000; i++)
      sn_log_progress(l, "short work", "items", i, 1000, i == 1000);
    sn_log_msg(l, SN_LOG_ERROR, "no good");
  }
  sn_log_destroy(l);
  assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
  (void)close(saved);
  assert_int_equal(s, SN_OK);
  const ssize_t got = read(ends[0], to, n - 1);
  (void)close(ends[0]);
  to[got > 0 ? got : 0] = '\0';
}

static void stderr_gets_plain_lines_where_it_is_no_terminal(void **state) {
  (void)state;
  char text[2048];
  captured(SN_LOG_INFO, text, sizeof text);
  /* Short work shows no progress. */
  assert_string_equal(text, "warning: look out\nby the way\nerror: no good\n");
  captured(SN_LOG_ERROR, text, sizeof text);
  assert_string_equal(text, "error: no good\n");
}

static void out_of_memory_anywhere_is_a_status(void **state) {
  (void)state;
  const long before = sn_mem_live();
  for (long k = 0;; k++) {
    sn_log *l = NULL;
    sn_mem_fail_after(k);
    const sn_status s = sn_log_create_stderr(SN_LOG_INFO, &l, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_log_destroy(l);
    assert_int_equal(sn_mem_live(), before);
    if (!fired) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_status_has_a_name_and_a_text),
      cmocka_unit_test(the_first_failure_wins_and_gathers_context),
      cmocka_unit_test(long_messages_are_cut_not_overrun),
      cmocka_unit_test(the_heap_counts_and_fails_on_demand),
      cmocka_unit_test(messages_above_the_level_are_dropped),
      cmocka_unit_test(progress_is_thinned_but_its_end_is_told),
      cmocka_unit_test(the_sink_is_called_by_one_thread_at_a_time),
      cmocka_unit_test(a_log_carries_the_wish_to_stop),
      cmocka_unit_test(stderr_gets_plain_lines_where_it_is_no_terminal),
      cmocka_unit_test(out_of_memory_anywhere_is_a_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
