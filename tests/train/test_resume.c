/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that are killed, or interrupted, go on and make the same models. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/train/tones.h"

/* Ends the run in pass n of a stage (counted by the ends of its passes over
 * the corpus, alignment alone being one too). */
typedef struct end {
  const char *stage;
  int n, seen;
  bool kills; /* else it asks to stop */
  sn_log *log;
  char said[4096];
} end;

static void progress(void *user, const char *what, const char *unit,
                     int64_t done, int64_t total, bool last) {
  (void)unit, (void)done, (void)total;
  end *const e = user;
  if (!last || e->stage == NULL || strcmp(what, e->stage) != 0) return;
  if (++e->seen != e->n) return;
  if (e->kills) (void)raise(SIGKILL);
  sn_log_cancel(e->log);
}

static void keep(void *user, sn_log_level level, const char *text) {
  end *const e = user;
  if (level > SN_LOG_WARN) return;
  const size_t n = strlen(e->said);
  (void)snprintf(e->said + n, sizeof e->said - n, "%s\n", text);
}

typedef struct world {
  char dir[256];
} world;

static sn_status train(const world *w, const char *stage, const char *exp,
                       const sn_train_opts *o, end *e) {
  sn_err err = {0};
  assert_int_equal(sn_log_create(keep, progress, e, SN_LOG_WARN, &e->log, NULL),
                   SN_OK);
  const sn_status s =
      sn_train(stage, tones_in(w->dir, "data"), tones_in(w->dir, "lex"),
               tones_in(w->dir, exp), o, e->log, &err);
  sn_log_destroy(e->log);
  if (s != SN_OK && s != SN_ECANCEL) fail_msg("%s", err.msg);
  return s;
}

/* In a process of its own, that kills itself. */
static void train_and_die(const world *w, const char *exp,
                          const sn_train_opts *o, const char *stage, int n) {
  int status = 0;
  const pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    end e = {.stage = stage, .n = n, .kills = true};
    (void)train(w, NULL, exp, o, &e);
    _exit(0); /* not killed: the parent sees it */
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void has(const char *dir, const char *name, const char *text) {
  char *s = NULL;
  size_t n = 0;
  assert_int_equal(sn_file_read(tones_in(dir, name), &s, &n, NULL), SN_OK);
  if (strstr(s, text) == NULL) fail_msg("%s does not say %s", name, text);
  sn_free(s);
}

/* Killed once in each stage: mono in the flat start's place has nothing to go
 * on from, so pass 5; the others after an alignment (the first "pass"), in
 * pass 3, when LDA has turned and SAT has adapted its features. */
static void test_a_killed_run_makes_the_same_models(void **state) {
  const world *const w = *state;
  static const char *const stages[] = {"mono", "tri", "lda", "sat"};
  const sn_train_opts o = tones_opts();
  end e = {0};
  assert_int_equal(train(w, NULL, "whole", &o, &e), SN_OK);
  train_and_die(w, "killed", &o, "mono", 6); /* 0 to 5 */
  for (int i = 1; i < 4; i++) train_and_die(w, "killed", &o, stages[i], 4);
  end last = {0};
  assert_int_equal(train(w, NULL, "killed", &o, &last), SN_OK);
  assert_non_null(strstr(last.said, "sat goes on after pass 2"));
  for (int i = 0; i < 4; i++) {
    char a[300], b[300];
    (void)snprintf(a, sizeof a, "%s/whole/%s", w->dir, stages[i]);
    (void)snprintf(b, sizeof b, "%s/killed/%s", w->dir, stages[i]);
    tones_same(a, b, "am.bin");
    if (i > 0) tones_same(a, b, "tree.json");
    if (i > 1) tones_same(a, b, "final.mat");
    if (i > 2) tones_same(a, b, "am-first.bin");
    has(a, "train.json", "\"resumed_after\": []");
    has(b, "train.json",
        i == 0 ? "\"resumed_after\": [4]" : "\"resumed_after\": [2]");
    assert_false(sn_file_exists(tones_in(b, "checkpoint.bin")));
  }
}

static void test_an_interrupted_run_goes_on_unless_it_is_another(void **state) {
  const world *const w = *state;
  sn_train_opts o = tones_opts();
  end first = {.stage = "mono", .n = 4}, second = {0}, third = {0};
  char a[300], b[300], path[300];
  assert_int_equal(train(w, "mono", "stopped", &o, &first), SN_ECANCEL);
  (void)snprintf(path, sizeof path, "%s/stopped/mono/checkpoint.bin", w->dir);
  assert_true(sn_file_exists(path));
  assert_false(sn_file_exists(tones_in(w->dir, "stopped/mono/model.ini")));
  /* Other options: from the beginning. */
  o.mono_gauss = 25;
  assert_int_equal(train(w, "mono", "stopped", &o, &second), SN_OK);
  assert_non_null(strstr(second.said, "other options, recordings or words"));
  assert_int_equal(train(w, "mono", "fresh", &o, &third), SN_OK);
  (void)snprintf(a, sizeof a, "%s/stopped/mono", w->dir);
  (void)snprintf(b, sizeof b, "%s/fresh/mono", w->dir);
  tones_same(a, b, "am.bin");
}

static void test_a_damaged_checkpoint_is_not_used(void **state) {
  const world *const w = *state;
  const sn_train_opts o = tones_opts();
  end first = {.stage = "mono", .n = 3}, second = {0};
  char path[300], a[300], b[300];
  assert_int_equal(train(w, "mono", "damaged", &o, &first), SN_ECANCEL);
  (void)snprintf(path, sizeof path, "%s/damaged/mono/checkpoint.bin", w->dir);
  FILE *const f = fopen(path, "r+b");
  assert_non_null(f);
  assert_int_equal(fseek(f, 3000, SEEK_SET), 0);
  const int c = fgetc(f);
  assert_int_equal(fseek(f, 3000, SEEK_SET), 0);
  assert_int_equal(fputc(c ^ 4, f), c ^ 4);
  assert_int_equal(fclose(f), 0);
  assert_int_equal(train(w, "mono", "damaged", &o, &second), SN_OK);
  assert_non_null(strstr(second.said, "checksum"));
  assert_non_null(strstr(second.said, "begins anew"));
  (void)snprintf(a, sizeof a, "%s/damaged/mono", w->dir);
  (void)snprintf(b, sizeof b, "%s/whole/mono", w->dir);
  tones_same(a, b, "am.bin");
}

int main(void) {
  static world w;
  void *const p = &w;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_a_killed_run_makes_the_same_models, p),
      cmocka_unit_test_prestate(
          test_an_interrupted_run_goes_on_unless_it_is_another, p),
      cmocka_unit_test_prestate(test_a_damaged_checkpoint_is_not_used, p)};
  tones_temp(w.dir, sizeof w.dir);
  tones_make(w.dir, 40, 1);
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  tones_remove(w.dir);
  return failed;
}
