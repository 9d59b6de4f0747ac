/* SPDX-License-Identifier: Apache-2.0 */
/* Data directories: what they give, and how their faults are named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "frontend/datadir.h"
#include "frontend/datadir_internal.h"
#include "tests/ref/temp_path.h"

static const char *const part_names[] = {"wav.scp", "segments", "text",
                                         "utt2spk"};

typedef struct fixture {
  char corpus[64], dir[96];
  sn_log *log;
  char messages[8192];
} fixture;

static void keep_message(void *user, sn_log_level level, const char *text) {
  fixture *const f = user;
  const size_t n = strlen(f->messages);
  (void)snprintf(f->messages + n, sizeof f->messages - n, "%d %s\n", (int)level,
                 text);
}

static char *path_of(const fixture *f, const char *name, char *to) {
  snprintf(to, 256, "%s/%s", f->dir, name);
  return to;
}

static void put(const char *path, const char *text) {
  FILE *const file = fopen(path, "wb");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static int set_up(void **state) {
  fixture *const f = calloc(1, sizeof *f);
  char path[256];
  temp_template(f->corpus, sizeof f->corpus, "datadir");
  if (mkdtemp(f->corpus) == NULL) return -1;
  snprintf(f->dir, sizeof f->dir, "%s/test", f->corpus);
  if (mkdir(f->dir, 0777) != 0) return -1;
  for (char name = 'a'; name <= 'c'; name++) {
    snprintf(path, sizeof path, "%s/%c.wav", f->corpus, name);
    put(path, "");
  }
  *state = f;
  return sn_log_create(keep_message, NULL, f, SN_LOG_INFO, &f->log, NULL) !=
         SN_OK;
}

static int tear_down(void **state) {
  fixture *const f = *state;
  char path[256];
  for (int i = 0; i < 4; i++) (void)unlink(path_of(f, part_names[i], path));
  for (char name = 'a'; name <= 'c'; name++) {
    snprintf(path, sizeof path, "%s/%c.wav", f->corpus, name);
    (void)unlink(path);
  }
  const int s = rmdir(f->dir) | rmdir(f->corpus);
  sn_log_destroy(f->log);
  free(f);
  return s;
}

/* NULL: no such file. */
static void put_parts(fixture *f, const char *const texts[4]) {
  char path[256];
  for (int i = 0; i < 4; i++) {
    (void)unlink(path_of(f, part_names[i], path));
    if (texts[i] != NULL) put(path, texts[i]);
  }
  f->messages[0] = '\0';
}

static void recordings_are_utterances_without_segments(void **state) {
  fixture *const f = *state;
  char absolute[256], list[512], want[256];
  snprintf(absolute, sizeof absolute, "%s/c.wav", f->corpus);
  snprintf(list, sizeof list, "u2 b.wav\n\nu1  a.wav \r\nu3\t%s\n", absolute);
  const char *const texts[4] = {list, NULL, "u1 HELLO  WORLD\nu2\nu3 X\n",
                                "u1 ann\nu3 bob\nu2 ann\n"};
  put_parts(f, texts);
  sn_datadir d;
  sn_err err = {0};
  if (sn_datadir_load(f->dir, f->log, &d, &err) != SN_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(d.n, 3);
  static const char *const ids[] = {"u2", "u1", "u3"};
  static const char *const said[] = {"", "HELLO  WORLD", "X"};
  static const char *const speakers[] = {"ann", "ann", "bob"};
  for (size_t i = 0; i < 3; i++) {
    assert_string_equal(d.utts[i].id, ids[i]);
    assert_string_equal(d.utts[i].text, said[i]);
    assert_string_equal(d.utts[i].speaker, speakers[i]);
    assert_true(d.utts[i].begin_s == 0 && d.utts[i].end_s < 0);
  }
  snprintf(want, sizeof want, "%s/b.wav", f->corpus);
  assert_string_equal(d.utts[0].path, want);
  assert_string_equal(d.utts[2].path, absolute);
  assert_string_equal(f->messages, "");
  sn_datadir_clear(&d);
}

static void segments_are_utterances_in_their_order(void **state) {
  fixture *const f = *state;
  const char *const texts[4] = {"r1 a.wav\nr2 b.wav\n",
                                "z r2 0.5 1.25\ny r1 0 -1\nx r2 3 4e0\n", NULL,
                                NULL};
  put_parts(f, texts);
  sn_datadir d;
  assert_int_equal(sn_datadir_load(f->dir, f->log, &d, NULL), SN_OK);
  assert_int_equal(d.n, 3);
  assert_string_equal(d.utts[0].id, "z");
  assert_non_null(strstr(d.utts[0].path, "/b.wav"));
  assert_true(d.utts[0].begin_s == 0.5 && d.utts[0].end_s == 1.25);
  assert_true(d.utts[1].end_s < 0);
  assert_true(d.utts[2].begin_s == 3 && d.utts[2].end_s == 4);
  assert_null(d.utts[0].text);
  assert_null(d.utts[0].speaker);
  sn_datadir_clear(&d);
}

static void the_corpus_is_the_parent_however_it_is_named(void **state) {
  fixture *const f = *state;
  const char *const texts[4] = {"u a.wav\n", NULL, NULL, NULL};
  put_parts(f, texts);
  char here[512], path[256];
  assert_non_null(getcwd(here, sizeof here));
  sn_datadir d;
  snprintf(path, sizeof path, "%s//", f->dir);
  assert_int_equal(sn_datadir_load(path, NULL, &d, NULL), SN_OK);
  sn_datadir_clear(&d);
  assert_int_equal(chdir(f->corpus), 0);
  assert_int_equal(sn_datadir_load("test", NULL, &d, NULL), SN_OK);
  assert_string_equal(d.utts[0].path, "a.wav");
  sn_datadir_clear(&d);
  assert_int_equal(sn_datadir_load("./test/", NULL, &d, NULL), SN_OK);
  assert_string_equal(d.utts[0].path, "./a.wav");
  sn_datadir_clear(&d);
  assert_int_equal(chdir("test"), 0);
  assert_int_equal(sn_datadir_load(".", NULL, &d, NULL), SN_OK);
  assert_string_equal(d.utts[0].path, "./../a.wav");
  sn_datadir_clear(&d);
  assert_int_equal(sn_datadir_load("./", NULL, &d, NULL), SN_OK);
  sn_datadir_clear(&d);
  assert_int_equal(chdir(here), 0);
}

static void every_fault_is_named_with_its_line(void **state) {
  fixture *const f = *state;
  static const struct {
    const char *texts[4];
    const char *part;
  } cases[] = {
      {{"u\n", NULL, NULL, NULL}, "wav.scp:1: 'u' has no path"},
      {{"u a.wav\nu b.wav\n", NULL, NULL, NULL},
       "wav.scp:2: 'u' is in line 1 already"},
      {{"u sph2pipe -f wav x |\n", NULL, NULL, NULL},
       "wav.scp:1: 'sph2pipe -f wav x |' is a command"},
      {{"u a.wav\nv q.wav\n", NULL, NULL, NULL}, "wav.scp:2: there is no rec"},
      {{"u \xff.wav\n", NULL, NULL, NULL}, "wav.scp:1: byte 3 of the line"},
      {{"u a.wav\n", "s u 1\n", NULL, NULL}, "segments:1: expected"},
      {{"u a.wav\n", "s u 1 2 3\n", NULL, NULL}, "segments:1: '3' follows"},
      {{"u a.wav\n", "s q 1 2\n", NULL, NULL},
       "segments:1: the recording 'q' is not in wav.scp"},
      {{"u a.wav\n", "s u 1 x\n", NULL, NULL}, "segments:1: '1' to 'x' are"},
      {{"u a.wav\n", "s u -1 2\n", NULL, NULL}, "segments:1: '-1' to '2'"},
      {{"u a.wav\n", "s u nan 2\n", NULL, NULL}, "segments:1: 'nan' to '2'"},
      {{"u a.wav\n", "s u 2 1\n", NULL, NULL}, "ends (1 s) before it begins"},
      {{"u a.wav\n", "s u 0 1\ns u 1 2\n", NULL, NULL},
       "segments:2: 's' is in line 1 already"},
      {{"u a.wav\n", NULL, "u A\nu B\n", NULL}, "text:2: 'u' is in line 1"},
      {{"u a.wav\n", NULL, NULL, "u\n"}, "utt2spk:1: expected 'UTTERANCE SP"},
      {{"u a.wav\n", NULL, NULL, "u a b\n"}, "utt2spk:1: expected 'UTT"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    put_parts(f, cases[i].texts);
    sn_datadir d;
    sn_err err = {0};
    const sn_status s = sn_datadir_load(f->dir, f->log, &d, &err);
    assert_int_equal(s, SN_EFORMAT);
    assert_null(d.utts);
    assert_null(d.store);
    if (strstr(err.msg, cases[i].part) == NULL)
      fail_msg("'%s' instead of '%s'", err.msg, cases[i].part);
    assert_int_equal(sn_datadir_load(f->dir, NULL, &d, NULL), SN_EFORMAT);
  }
}

static void faults_after_the_first_go_to_the_log(void **state) {
  fixture *const f = *state;
  const char *const texts[4] = {"u\nv b.wav\nv c.wav\nw x.wav\n", NULL,
                                "u A\nu B\n", NULL};
  put_parts(f, texts);
  sn_datadir d;
  sn_err err = {0};
  assert_int_equal(sn_datadir_load(f->dir, f->log, &d, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "wav.scp:1:"));
  assert_non_null(strstr(f->messages, "wav.scp:3: 'v' is in line 2 already"));
  assert_non_null(strstr(f->messages, "wav.scp:4: there is no recording"));
  assert_non_null(strstr(f->messages, "text:2: 'u' is in line 1 already"));
}

static void what_only_one_file_has_is_counted_and_named(void **state) {
  fixture *const f = *state;
  const char *const texts[4] = {"u a.wav\nv b.wav\n", NULL,
                                "p A\nq B\nr C\ns D\nt E\nx F\nu G\ny H\n",
                                "v ann\n"};
  put_parts(f, texts);
  sn_datadir d;
  assert_int_equal(sn_datadir_load(f->dir, f->log, &d, NULL), SN_OK);
  assert_int_equal(d.n, 2);
  assert_null(d.utts[1].text);
  assert_null(d.utts[0].speaker);
  assert_non_null(strstr(f->messages,
                         "text: 7 utterances not in wav.scp: p, "
                         "q, r, s, t, ...\n"));
  assert_non_null(strstr(f->messages, "text: 1 utterance missing here: v\n"));
  assert_non_null(
      strstr(f->messages, "utt2spk: 1 utterance missing here: u\n"));
  sn_datadir_clear(&d);
}

static void a_missing_directory_or_list_is_named(void **state) {
  fixture *const f = *state;
  sn_datadir d;
  sn_err err = {0};
  assert_int_equal(sn_datadir_load("/does/not/exist", NULL, &d, &err), SN_EIO);
  assert_non_null(strstr(err.msg, "no data directory '/does/not/exist'"));
  sn_err_clear(&err);
  assert_int_equal(sn_datadir_load(f->dir, NULL, &d, &err), SN_EIO);
  assert_non_null(strstr(err.msg, "/wav.scp': No such file"));
}

static void nothing_is_a_directory_without_utterances(void **state) {
  fixture *const f = *state;
  const char *const texts[4] = {"", NULL, "", ""};
  put_parts(f, texts);
  sn_datadir d;
  assert_int_equal(sn_datadir_load(f->dir, f->log, &d, NULL), SN_OK);
  assert_int_equal(d.n, 0);
  sn_datadir_clear(&d);
}

static void ten_thousand_utterances_in_any_order_are_matched(void **state) {
  fixture *const f = *state;
  sn_writer *w = NULL;
  char path[256];
  enum { N = 10000 };
  assert_int_equal(sn_writer_open(path_of(f, "wav.scp", path), &w, NULL),
                   SN_OK);
  for (int i = 0; i < N; i++)
    assert_int_equal(sn_writef(w, NULL, "u%d a.wav\n", i * 7 % N), SN_OK);
  assert_int_equal(sn_writer_commit(w, NULL), SN_OK);
  sn_writer_destroy(w);
  assert_int_equal(sn_writer_open(path_of(f, "text", path), &w, NULL), SN_OK);
  for (int i = 0; i < N; i++)
    assert_int_equal(sn_writef(w, NULL, "u%d T%d\n", i, i), SN_OK);
  assert_int_equal(sn_writer_commit(w, NULL), SN_OK);
  sn_writer_destroy(w);
  sn_datadir d;
  assert_int_equal(sn_datadir_load(f->dir, f->log, &d, NULL), SN_OK);
  assert_int_equal(d.n, N);
  for (size_t i = 0; i < N; i++) {
    assert_int_equal(atoi(d.utts[i].id + 1), (int)(i * 7 % N));
    assert_string_equal(d.utts[i].text + 1, d.utts[i].id + 1);
  }
  sn_datadir_clear(&d);
}

static void out_of_memory_anywhere_is_a_status(void **state) {
  fixture *const f = *state;
  const char *const texts[4] = {"r1 a.wav\nr2 b.wav\n",
                                "z r2 0.5 1.25\ny r1 0 -1\n", "z A\ny B\n",
                                "z a\ny b\n"};
  put_parts(f, texts);
  const long before = sn_mem_live();
  for (long k = 0;; k++) {
    sn_datadir d;
    sn_mem_fail_after(k);
    const sn_status s = sn_datadir_load(f->dir, NULL, &d, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    if (s == SN_OK) assert_int_equal(d.n, 2);
    sn_datadir_clear(&d);
    assert_int_equal(sn_mem_live(), before);
    if (!fired) break;
  }
}

/* One changed byte anywhere in the four files. */
static void altered_files_never_crash_the_reader(void **state) {
  (void)state;
  static const char *const texts[4] = {"r1 a.wav\nr2 b.wav\n",
                                       "z r2 0.5 1.25\ny r1 0 -1\n",
                                       "z A B\ny B\n", "z a\ny b\n"};
  static const char changes[] = {'\0', '\n', ' ', '|', '\xff', '9', '-'};
  for (int k = 0; k < 4; k++)
    for (size_t i = 0; i < strlen(texts[k]); i++)
      for (size_t c = 0; c < sizeof changes; c++) {
        char copy[4][64];
        sn_reader *r[4];
        for (int j = 0; j < 4; j++) {
          const size_t n = strlen(texts[j]);
          memcpy(copy[j], texts[j], n);
          if (j == k) copy[j][i] = changes[c];
          assert_int_equal(
              sn_reader_memory(copy[j], n, part_names[j], &r[j], NULL), SN_OK);
        }
        const sni_datadir_files files = {r[0], r[1], r[2], r[3], "", false};
        sn_datadir d;
        const sn_status s = sni_datadir_parse(&files, NULL, &d, NULL);
        assert_true(s == SN_OK || s == SN_EFORMAT);
        sn_datadir_clear(&d);
        for (int j = 0; j < 4; j++) sn_reader_destroy(r[j]);
      }
}

static void corpora_at_hand_are_read_whole(void **state) {
  (void)state;
  static const struct {
    const char *name;
    size_t n;
  } corpora[] = {{"an4/test", 130}, {"an4/train", 948}};
  const char *const data = getenv("SENONE_DATA");
  for (size_t i = 0; i < sizeof corpora / sizeof corpora[0]; i++) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", data != NULL ? data : "../shared/data",
             corpora[i].name);
    if (!sn_dir_exists(path)) {
      print_message("SKIPPED: no '%s' (set SENONE_DATA)\n", path);
      skip();
    }
    sn_datadir d;
    sn_err err = {0};
    if (sn_datadir_load(path, NULL, &d, &err) != SN_OK) fail_msg("%s", err.msg);
    assert_int_equal(d.n, corpora[i].n);
    for (size_t u = 0; u < d.n; u++) {
      assert_non_null(d.utts[u].text);
      assert_non_null(d.utts[u].speaker);
    }
    sn_datadir_clear(&d);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(recordings_are_utterances_without_segments),
      TEST(segments_are_utterances_in_their_order),
      TEST(the_corpus_is_the_parent_however_it_is_named),
      TEST(every_fault_is_named_with_its_line),
      TEST(faults_after_the_first_go_to_the_log),
      TEST(what_only_one_file_has_is_counted_and_named),
      TEST(a_missing_directory_or_list_is_named),
      TEST(nothing_is_a_directory_without_utterances),
      TEST(ten_thousand_utterances_in_any_order_are_matched),
      TEST(out_of_memory_anywhere_is_a_status),
      TEST(altered_files_never_crash_the_reader),
      TEST(corpora_at_hand_are_read_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
