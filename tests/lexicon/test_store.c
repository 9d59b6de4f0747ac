/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite store: what goes in comes out, what is damaged is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "lexicon/formats.h"
#include "lexicon/store.h"

typedef struct fixture {
  char dir[40], path[80];
} fixture;

static int set_up(void **state) {
  fixture *const f = malloc(sizeof *f);
  assert_non_null(f);
  strcpy(f->dir, "/tmp/senone-store-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  (void)snprintf(f->path, sizeof f->path, "%s/lexicon #1?.db", f->dir);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *const f = *state;
  char command[120];
  (void)snprintf(command, sizeof command, "chmod u+w %s; rm -rf %s", f->dir,
                 f->dir);
  const int status = system(command);
  free(f);
  return status;
}

static void must(sn_status s, const sn_err *err) {
  if (s != SN_OK) fail_msg("%s", err->msg);
}

static const char words_text[] =
    "tomato T AH M EY T OW\nthe DH AH\ntomato T AH M AA T OW\nthe DH IY\n";

static const sn_import_opts base_opts = {.source = SN_SOURCE_BASE,
                                         .source_name = "words.dict",
                                         .state = SN_ENTRY_APPROVED};

static sn_status import_text(const fixture *f, const char *text,
                             const sn_import_opts *o, sn_import_stats *n,
                             sn_err *err) {
  sn_lexicon lex;
  sn_store *st = NULL;
  sn_status s = sn_lexicon_read_memory(text, strlen(text), "mem", NULL, NULL,
                                       &lex, NULL, err);
  if (s == SN_OK) s = sn_store_open(f->path, SN_STORE_CREATE, &st, err);
  if (s == SN_OK) s = sn_store_import(st, &lex, o, NULL, n, err);
  sn_store_destroy(st);
  sn_lexicon_clear(&lex);
  return s;
}

static void make_store(const fixture *f) {
  sn_err err = {0};
  must(import_text(f, words_text, &base_opts, NULL, &err), &err);
}

static void describe(const sn_lexicon *lex, sn_str *s) {
  for (int32_t i = 0; (size_t)i < lex->prons.n; i++) {
    const sn_pron *const p = &lex->prons.data[i];
    const int32_t *const ids = sn_lexicon_phones(lex, i);
    must(sn_str_addf(s, NULL, "%s(%d)=", sn_symtab_get(lex->words, p->word),
                     (int)p->variant),
         NULL);
    for (int32_t k = 0; k < p->n_phones; k++)
      must(sn_str_addf(s, NULL, "%s%s", k ? " " : "",
                       sn_symtab_get(lex->phones, ids[k])),
           NULL);
    if (p->logp < 0)
      must(sn_str_addf(s, NULL, "@%.4g", exp((double)p->logp)), NULL);
    must(sn_str_adds(s, "|", NULL), NULL);
  }
}

static void expect_content(const fixture *f, const char *want) {
  sn_lexicon lex;
  sn_err err = {0};
  sn_str s = {0};
  must(sn_lexicon_load(f->path, NULL, &lex, &err), &err);
  describe(&lex, &s);
  assert_string_equal(want, sn_str_get(&s));
  sn_str_clear(&s);
  sn_lexicon_clear(&lex);
}

#define TOMATO "tomato(1)=T AH M EY T OW|tomato(2)=T AH M AA T OW|"
#define THE "the(1)=DH AH|the(2)=DH IY|"

static void test_what_is_imported_is_loaded_in_its_order(void **state) {
  const fixture *const f = *state;
  make_store(f);
  expect_content(f, TOMATO THE);
}

static void test_a_second_import_adds_and_counts_what_was_there(void **state) {
  const fixture *const f = *state;
  sn_import_stats n;
  sn_err err = {0};
  make_store(f);
  must(import_text(f, "the DH AH\nmat M AH T\n", &base_opts, &n, &err), &err);
  assert_int_equal(1, n.n_present);
  expect_content(f, TOMATO THE "mat(1)=M AH T|");
}

static void test_an_imported_probability_replaces_the_old_one(void **state) {
  const fixture *const f = *state;
  sn_import_stats n;
  sn_err err = {0};
  make_store(f);
  must(import_text(f, "the 0.5 DH AH\nthe 1.0 DH IY\n", &base_opts, &n, &err),
       &err);
  assert_int_equal(1, n.n_changed);
  assert_int_equal(1, n.n_present);
  expect_content(f, TOMATO "the(1)=DH AH@0.5|the(2)=DH IY|");
}

static void test_an_import_with_unknown_phones_changes_nothing(void **state) {
  const fixture *const f = *state;
  sn_err err = {0};
  make_store(f);
  assert_int_equal(SN_EMISMATCH, import_text(f, "mat M AH T\nhat HH AH T\n",
                                             &base_opts, NULL, &err));
  assert_non_null(strstr(err.msg, "'hat'"));
  assert_non_null(strstr(err.msg, "'HH'"));
  assert_non_null(strstr(err.msg, "did you mean 'AH', 'DH'"));
  expect_content(f, TOMATO THE);
  sn_import_opts o = base_opts;
  o.new_phones = true;
  must(import_text(f, "hat HH AH T\n", &o, NULL, &err), &err);
  expect_content(f, TOMATO THE "hat(1)=HH AH T|");
}

static sn_status add(const fixture *f, const char *word, const char *phones,
                     double prob, sn_entry_state entry_state,
                     sn_add_result *result, sn_err *err) {
  sn_store *st = NULL;
  const sn_store_entry e = {.word = word,
                            .phones = phones,
                            .prob = prob,
                            .state = entry_state,
                            .source = SN_SOURCE_G2P,
                            .source_name = "model-1",
                            .score = -3.5,
                            .note = "a remark"};
  sn_status s = sn_store_open(f->path, SN_STORE_EDIT, &st, err);
  if (s == SN_OK) s = sn_store_add(st, &e, false, result, err);
  sn_store_destroy(st);
  return s;
}

static void test_adding_tells_new_from_present_from_changed(void **state) {
  const fixture *const f = *state;
  sn_add_result r;
  sn_err err = {0};
  make_store(f);
  must(add(f, "mat", "M  AH T", 1, SN_ENTRY_GUESSED, &r, &err), &err);
  assert_int_equal(SN_ADD_NEW, r);
  must(add(f, "mat", "M AH T", 1, SN_ENTRY_GUESSED, &r, &err), &err);
  assert_int_equal(SN_ADD_PRESENT, r);
  must(add(f, "mat", "M AH T", 0.5, SN_ENTRY_APPROVED, &r, &err), &err);
  assert_int_equal(SN_ADD_CHANGED, r);
  expect_content(f, TOMATO THE "mat(1)=M AH T@0.5|");
  must(add(f, "mat", "M AH T", 0.5, SN_ENTRY_REJECTED, &r, &err), &err);
  expect_content(f, TOMATO THE); /* kept, not used */
}

static void test_bad_additions_are_refused_with_a_hint(void **state) {
  const fixture *const f = *state;
  static const struct {
    const char *word, *phones;
    double prob;
    sn_status code;
    const char *says;
  } bad[] = {
      {"mat", "M AX T", 1, SN_EMISMATCH, "no phone 'AX'; did you mean 'AH'"},
      {"mat", "m AH T", 1, SN_EMISMATCH, "did you mean 'M'"},
      {"mat", " ", 1, SN_EARG, "no phones"},
      {"", "M", 1, SN_EARG, "at least one character"},
      {"a mat", "M", 1, SN_EARG, "no blanks"},
      {"mat(2)", "M", 1, SN_EARG, "without its number"},
      {"m\xff", "M", 1, SN_EARG, "UTF-8"},
      {"mat", "M", 0, SN_EARG, "probability 0"},
      {"mat", "M", (double)NAN, SN_EARG, "probability"}};
  make_store(f);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    sn_add_result r;
    sn_err err = {0};
    assert_int_equal(bad[i].code,
                     add(f, bad[i].word, bad[i].phones, bad[i].prob,
                         SN_ENTRY_APPROVED, &r, &err));
    if (strstr(err.msg, bad[i].says) == NULL)
      fail_msg("'%s' lacks '%s'", err.msg, bad[i].says);
  }
  expect_content(f, TOMATO THE);
}

static sn_status remove_from(const fixture *f, const char *word,
                             const char *phones, int64_t *n, sn_err *err) {
  sn_store *st = NULL;
  sn_status s = sn_store_open(f->path, SN_STORE_EDIT, &st, err);
  if (s == SN_OK) s = sn_store_remove(st, word, phones, "gone", n, err);
  sn_store_destroy(st);
  return s;
}

static void test_removing_one_or_all_pronunciations(void **state) {
  const fixture *const f = *state;
  int64_t n;
  sn_err err = {0};
  make_store(f);
  assert_int_equal(SN_EARG, remove_from(f, "tomatoe", NULL, &n, &err));
  assert_non_null(strstr(err.msg, "did you mean 'tomato'"));
  err = (sn_err){0};
  assert_int_equal(SN_EARG, remove_from(f, "the", "DH", &n, &err));
  assert_non_null(strstr(err.msg, "it has 2: 'DH AH', 'DH IY'"));
  err = (sn_err){0};
  must(remove_from(f, "the", " DH  AH", &n, &err), &err);
  assert_int_equal(1, n);
  expect_content(f, TOMATO "the(1)=DH IY|");
  must(remove_from(f, "tomato", NULL, &n, &err), &err);
  assert_int_equal(2, n);
  expect_content(f, "the(1)=DH IY|");
}

static sn_status note_entry(void *user, const sn_store_entry *e, sn_err *err) {
  return sn_str_addf(user, err, "%s=%s %.3g %s %s:%s %.3g %s|", e->word,
                     e->phones, e->prob, sn_entry_state_name(e->state),
                     sn_source_kind_name(e->source), e->source_name,
                     isnan(e->score) ? 0.0 : e->score, e->note);
}

static sn_status note_event(void *user, const sn_store_event *e, sn_err *err) {
  return sn_str_addf(user, err, "%s %s %s|", e->action,
                     e->phones == NULL ? "-" : e->phones, e->note);
}

static void test_source_state_and_history_of_a_word(void **state) {
  const fixture *const f = *state;
  sn_add_result r;
  sn_err err = {0};
  sn_store *st;
  sn_str s = {0};
  int64_t n;
  make_store(f);
  must(add(f, "the", "DH", 0.5, SN_ENTRY_GUESSED, &r, &err), &err);
  must(add(f, "the", "DH", 0.25, SN_ENTRY_APPROVED, &r, &err), &err);
  must(remove_from(f, "the", "DH IY", &n, &err), &err);
  must(sn_store_open(f->path, SN_STORE_READ, &st, &err), &err);
  must(sn_store_visit(st, "the", note_entry, &s, &n, &err), &err);
  assert_int_equal(2, n);
  assert_string_equal(
      "the=DH AH 1 approved base:words.dict 0 words.dict: 4 added, 0 already "
      "there, 0 with another probability|"
      "the=DH 0.25 approved g2p:model-1 -3.5 0.5 guessed -> 0.25 approved; a "
      "remark|",
      sn_str_get(&s));
  sn_str_reset(&s);
  must(sn_store_history(st, "the", note_event, &s, &err), &err);
  assert_string_equal(
      "add DH a remark|change DH 0.5 guessed -> 0.25 approved; a remark|"
      "remove DH IY gone|",
      sn_str_get(&s));
  sn_str_clear(&s);
  sn_store_destroy(st);
}

static void test_silence_statistics_go_with_their_pronunciation(void **state) {
  const fixture *const f = *state;
  sn_err err = {0};
  sn_store *st;
  sn_silence_stats s = {0.25, 1.5, 0.75}, got;
  bool found;
  make_store(f);
  must(sn_store_open(f->path, SN_STORE_EDIT, &st, &err), &err);
  must(sn_store_set_silence(st, "the", "DH AH", &s, &err), &err);
  s.p_after = 0.5;
  must(sn_store_set_silence(st, "the", "DH AH", &s, &err), &err);
  must(sn_store_get_silence(st, "the", "DH AH", &got, &found, &err), &err);
  assert_true(found && got.p_after == 0.5 && got.sil_before_factor == 1.5);
  assert_int_equal(SN_EARG, sn_store_set_silence(st, "the", "DH", &s, NULL));
  s.p_after = 1.5;
  assert_int_equal(SN_EARG, sn_store_set_silence(st, "the", "DH AH", &s, NULL));
  must(sn_store_remove(st, "the", "DH AH", NULL, NULL, &err), &err);
  must(sn_store_get_silence(st, "the", "DH AH", &got, &found, &err), &err);
  assert_false(found);
  must(sn_store_check(st, &err), &err);
  sn_store_destroy(st);
}

/* ---- The file ---- */

static void expect_refused(const fixture *f, sn_status code, const char *says) {
  sn_lexicon lex;
  sn_err err = {0};
  assert_int_equal(code, sn_lexicon_load(f->path, NULL, &lex, &err));
  assert_null(lex.words);
  if (strstr(err.msg, says) == NULL) fail_msg("'%s' lacks '%s'", err.msg, says);
}

/* Changes the database behind the store's back. */
static void run_sql(const fixture *f, const char *sql) {
  sqlite3 *db;
  char *message = NULL;
  assert_int_equal(SQLITE_OK, sqlite3_open(f->path, &db));
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
    fail_msg("%s: %s", sql, message);
  sqlite3_close(db);
}

static void test_no_file_or_nothing_in_it(void **state) {
  const fixture *const f = *state;
  sn_store *st;
  sn_err err = {0};
  expect_refused(f, SN_EIO, "No such file");
  assert_int_equal(SN_EIO, sn_store_open(f->path, SN_STORE_EDIT, &st, &err));
  assert_non_null(strstr(err.msg, "senone lexicon import"));
  FILE *const out = fopen(f->path, "w");
  assert_non_null(out);
  assert_int_equal(0, fclose(out));
  expect_refused(f, SN_EFORMAT, "no pronunciation");
}

static void test_a_store_that_nothing_went_into_is_not_left_behind(
    void **state) {
  const fixture *const f = *state;
  sn_store *st;
  sn_err err = {0};
  must(sn_store_open(f->path, SN_STORE_CREATE, &st, &err), &err);
  assert_int_equal(0, access(f->path, F_OK));
  sn_store_destroy(st);
  assert_int_not_equal(0, access(f->path, F_OK));
}

static void test_other_databases_and_schemas_are_named(void **state) {
  const fixture *const f = *state;
  run_sql(f, "CREATE TABLE t(x)");
  expect_refused(f, SN_EFORMAT, "another program");
  unlink(f->path);
  make_store(f);
  run_sql(f, "PRAGMA user_version=2");
  expect_refused(f, SN_EFORMAT, "schema 2 is newer than the 1");
  run_sql(f, "PRAGMA user_version=0");
  expect_refused(f, SN_EFORMAT, "schema 0 is older than the 1");
}

static void test_altered_content_is_noticed(void **state) {
  const fixture *const f = *state;
  static const char *const changes[][2] = {
      {"UPDATE pron SET phones='DH M' WHERE phones='DH IY'", "checksum"},
      {"UPDATE pron SET prob=0.5 WHERE id=1", "checksum"},
      {"UPDATE pron SET state='rejected' WHERE id=2", "checksum"},
      {"UPDATE word SET name='this' WHERE name='the'", "checksum"},
      {"DELETE FROM pron WHERE id=1", "checksum"},
      {"UPDATE pron SET phones='DH XX' WHERE phones='DH IY'", "table phone"},
      {"DELETE FROM phone WHERE name='DH'", "table phone"},
      {"PRAGMA foreign_keys=OFF; DELETE FROM word", "no word"},
      {"PRAGMA ignore_check_constraints=ON; UPDATE pron SET prob=2",
       "not in (0, 1]"},
      {"PRAGMA ignore_check_constraints=ON; UPDATE pron SET state='x'",
       "unknown state"},
      {"DELETE FROM meta", "content_sum"},
      {"UPDATE meta SET value='12'", "content_sum"},
      {"DROP TABLE silence; DROP TABLE pron", "no such table"}};
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    unlink(f->path);
    make_store(f);
    run_sql(f, changes[i][0]);
    expect_refused(f, SN_EFORMAT, changes[i][1]);
  }
}

static void test_a_folder_that_can_not_be_written_can_be_read(void **state) {
  const fixture *const f = *state;
  make_store(f);
  assert_int_equal(0, chmod(f->path, 0444));
  assert_int_equal(0, chmod(f->dir, 0555));
  expect_content(f, TOMATO THE);
  assert_int_equal(0, chmod(f->dir, 0755));
}

/* Reading leaves no -wal and -shm files beside the store. */
static void test_reading_leaves_no_files_behind(void **state) {
  const fixture *const f = *state;
  char side[100];
  make_store(f);
  expect_content(f, TOMATO THE);
  static const char *const ends[] = {"-wal", "-shm", "-journal"};
  for (size_t i = 0; i < 3; i++) {
    (void)snprintf(side, sizeof side, "%s%s", f->path, ends[i]);
    assert_int_not_equal(0, access(side, F_OK));
  }
}

/* A writer that has committed but not yet put its pages into the file. */
static void test_a_reader_sees_what_is_still_in_the_wal(void **state) {
  const fixture *const f = *state;
  sn_err err = {0};
  sn_store *st;
  sn_add_result r;
  make_store(f);
  must(sn_store_open(f->path, SN_STORE_EDIT, &st, &err), &err);
  const sn_store_entry e = {.word = "mat",
                            .phones = "M AH T",
                            .prob = 1,
                            .source_name = "me",
                            .score = (double)NAN};
  must(sn_store_add(st, &e, false, &r, &err), &err);
  expect_content(f, TOMATO THE "mat(1)=M AH T|");
  sn_store_destroy(st);
  expect_content(f, TOMATO THE "mat(1)=M AH T|");
}

/* A reader that opened before a writer came reads what is there afterwards. */
static void test_a_writer_between_opening_and_loading_is_noticed(void **state) {
  const fixture *const f = *state;
  sn_err err = {0};
  sn_store *st;
  sn_add_result r;
  sn_lexicon lex;
  make_store(f);
  must(sn_store_open(f->path, SN_STORE_READ, &st, &err), &err);
  must(add(f, "mat", "M AH T", 1, SN_ENTRY_APPROVED, &r, &err), &err);
  must(sn_store_load(st, &lex, &err), &err);
  sn_str s = {0};
  describe(&lex, &s);
  assert_string_equal(TOMATO THE "mat(1)=M AH T|", sn_str_get(&s));
  sn_str_clear(&s);
  sn_lexicon_clear(&lex);
  sn_store_destroy(st);
}

/* ---- Damage ---- */

static sn_status load_memory(const char *data, size_t n, sn_lexicon *lex,
                             sn_err *err) {
  sn_store *st = NULL;
  *lex = (sn_lexicon){0};
  sn_status s = sn_store_open_memory(data, n, "mem", &st, err);
  if (s == SN_OK) s = sn_store_load(st, lex, err);
  sn_store_destroy(st);
  return s;
}

/* Cut anywhere, or with a byte altered anywhere: the same content, or an
 * error with a message; never other words, never a crash. */
static void test_damaged_files_are_refused_or_unharmed(void **state) {
  const fixture *const f = *state;
  char *data;
  size_t n;
  sn_err err = {0};
  make_store(f);
  must(sn_file_read(f->path, &data, &n, &err), &err);
  sn_str want = {0};
  sn_lexicon lex;
  must(load_memory(data, n, &lex, &err), &err);
  describe(&lex, &want);
  sn_lexicon_clear(&lex);
  for (size_t at = 0; at < n; at += 37) {
    err = (sn_err){0};
    assert_int_not_equal(SN_OK, load_memory(data, at, &lex, &err));
    assert_int_not_equal(0, err.msg[0]);
  }
  size_t n_refused = 0;
  for (size_t at = 0; at < n; at += at < 8192 ? 5 : 11) {
    const char old = data[at];
    data[at] = (char)(old ^ (1 << at % 8));
    err = (sn_err){0};
    const sn_status s = load_memory(data, n, &lex, &err);
    if (s == SN_OK) {
      sn_str got = {0};
      describe(&lex, &got);
      if (strcmp(sn_str_get(&want), sn_str_get(&got)) != 0)
        fail_msg("byte %zu: other content without an error", at);
      sn_str_clear(&got);
    }
    n_refused += s != SN_OK;
    assert_int_equal(s != SN_OK, err.msg[0] != '\0');
    sn_lexicon_clear(&lex);
    data[at] = old;
  }
  assert_true(n_refused > 20);
  sn_str_clear(&want);
  sn_free(data);
}

static void test_a_file_cut_short_says_that_it_is_damaged(void **state) {
  const fixture *const f = *state;
  struct stat sb;
  make_store(f);
  assert_int_equal(0, stat(f->path, &sb));
  assert_int_equal(0, truncate(f->path, sb.st_size / 2));
  expect_refused(f, SN_EFORMAT, "damaged");
  assert_int_equal(0, truncate(f->path, 60));
  expect_refused(f, SN_EFORMAT, "");
  assert_int_equal(0, truncate(f->path, 7));
  expect_refused(f, SN_EFORMAT, "damaged");
}

static void test_running_out_of_memory_leaves_nothing_behind(void **state) {
  const fixture *const f = *state;
  make_store(f);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_lexicon lex;
    sn_mem_fail_after(k);
    const sn_status s = sn_lexicon_load(f->path, NULL, &lex, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(fired ? SN_ENOMEM : SN_OK, s);
    sn_lexicon_clear(&lex);
    assert_int_equal(live, sn_mem_live());
    if (!fired) break;
  }
  for (long k = 0;; k++) {
    sn_mem_fail_after(k);
    const sn_status s =
        import_text(f, "mat 1 M AH T\nthe 0.5 DH AH\n", &base_opts, NULL, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(live, sn_mem_live());
    if (!fired) {
      assert_int_equal(SN_OK, s);
      break;
    }
    assert_int_equal(SN_ENOMEM, s);
    expect_content(f, TOMATO THE);
  }
}

/* Debian's en-us dictionary: text and store give the same lexicon. */
static void test_the_en_us_dictionary_survives_the_store(void **state) {
  const fixture *const f = *state;
  static const char dict[] =
      "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict";
  if (access(dict, R_OK) != 0) {
    print_message("no %s (package pocketsphinx-en-us)\n", dict);
    skip();
  }
  sn_lexicon text, stored;
  sn_store *st;
  sn_err err = {0};
  must(sn_lexicon_load(dict, NULL, &text, &err), &err);
  assert_int_equal(134723, text.prons.n);
  assert_int_equal(125945, sn_symtab_n(text.words));
  must(sn_store_open(f->path, SN_STORE_CREATE, &st, &err), &err);
  must(sn_store_import(st, &text, &base_opts, NULL, NULL, &err), &err);
  sn_store_destroy(st);
  must(sn_lexicon_load(f->path, NULL, &stored, &err), &err);
  sn_str a = {0}, b = {0};
  describe(&text, &a);
  describe(&stored, &b);
  assert_string_equal(sn_str_get(&a), sn_str_get(&b));
  sn_str_clear(&a);
  sn_str_clear(&b);
  sn_lexicon_clear(&text);
  sn_lexicon_clear(&stored);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      T(test_what_is_imported_is_loaded_in_its_order),
      T(test_a_second_import_adds_and_counts_what_was_there),
      T(test_an_imported_probability_replaces_the_old_one),
      T(test_an_import_with_unknown_phones_changes_nothing),
      T(test_adding_tells_new_from_present_from_changed),
      T(test_bad_additions_are_refused_with_a_hint),
      T(test_removing_one_or_all_pronunciations),
      T(test_source_state_and_history_of_a_word),
      T(test_silence_statistics_go_with_their_pronunciation),
      T(test_no_file_or_nothing_in_it),
      T(test_a_store_that_nothing_went_into_is_not_left_behind),
      T(test_other_databases_and_schemas_are_named),
      T(test_altered_content_is_noticed),
      T(test_a_folder_that_can_not_be_written_can_be_read),
      T(test_reading_leaves_no_files_behind),
      T(test_a_reader_sees_what_is_still_in_the_wal),
      T(test_a_writer_between_opening_and_loading_is_noticed),
      T(test_damaged_files_are_refused_or_unharmed),
      T(test_a_file_cut_short_says_that_it_is_damaged),
      T(test_running_out_of_memory_leaves_nothing_behind),
      T(test_the_en_us_dictionary_survives_the_store)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
