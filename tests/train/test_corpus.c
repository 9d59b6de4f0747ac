/* SPDX-License-Identifier: Apache-2.0 */
/* Corpora: every fault by file and line, repair, parts, other forms. */
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

#include "base/mem.h"
#include "train/corpus.h"
#include "train/corpus_internal.h"

static char home[64];

static const char *at(const char *name) {
  static char path[4][160];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/%s", home, name);
  return path[turn];
}

static void put(const char *name, const char *text) {
  FILE *const f = fopen(at(name), "wb");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
}

/* 16-bit mono; a triangle of the given height, 0: silence. */
static void put_wav(const char *name, uint32_t rate, double seconds,
                    int height) {
  const uint32_t n = (uint32_t)(seconds * rate), bytes = 2 * n;
  const uint32_t head[] = {0x46464952u, 36 + bytes,  0x45564157u, 0x20746d66u,
                           16,          0x00010001u, rate,        2 * rate,
                           0x00100002u, 0x61746164u, bytes};
  FILE *const f = fopen(at(name), "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(head, sizeof head, 1, f), 1);
  for (uint32_t i = 0; i < n; i++) {
    const int phase = (int)(i % 40) - 20;
    const int16_t x = (int16_t)(height * (phase < 0 ? -phase : phase) / 20);
    assert_int_equal(fwrite(&x, 2, 1, f), 1);
  }
  assert_int_equal(fclose(f), 0);
}

static int set_up(void **state) {
  (void)state;
  snprintf(home, sizeof home, "/tmp/senone-corpus-XXXXXX");
  if (mkdtemp(home) == NULL) return -1;
  mkdir(at("d"), 0777);
  put_wav("a.wav", 16000, 1.0, 3000);
  put_wav("b.wav", 16000, 0.5, 3000);
  put_wav("c.wav", 16000, 2.0, 3000);
  put_wav("slow.wav", 8000, 1.0, 3000);
  put_wav("quiet.wav", 16000, 1.0, 3);
  put("bad.wav", "this is text\n");
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", home);
  return system(command);
}

static void make_lexicon(sn_lexicon *lex) {
  const char *const phones[] = {"A", "B", "C", "D", "E"};
  assert_int_equal(sn_lexicon_init(lex, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "yes", 0, phones, 3, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "no", 0, phones, 5, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "no", 0, phones, 2, NULL), SN_OK);
  assert_int_equal(sn_lexicon_group(lex, NULL), SN_OK);
}

static const sn_corpus_check_opts *deflt(void) {
  static sn_corpus_check_opts o;
  sn_opt_defaults(sn_corpus_check_opt_table, &o);
  return &o;
}

static void expect(const sn_corpus *c, sn_corpus_fault_kind kind,
                   const char *file, int line, const char *part) {
  for (size_t i = 0; i < c->faults.n; i++) {
    const sn_corpus_fault *const f = &c->faults.data[i];
    if (f->kind == kind && strcmp(f->file, file) == 0 && f->line == line &&
        strstr(f->text, part) != NULL)
      return;
  }
  for (size_t i = 0; i < c->faults.n; i++)
    print_message(
        "%s:%d %s: %s\n", c->faults.data[i].file, c->faults.data[i].line,
        sn_corpus_fault_name(c->faults.data[i].kind), c->faults.data[i].text);
  fail_msg("no fault %s at %s:%d with '%s'", sn_corpus_fault_name(kind), file,
           line, part);
}

/* A corpus with one fault of every kind but a sound utterance u1 and one, u2,
 * that can be repaired. */
static void put_faulty(void) {
  put("d/wav.scp",
      "a a.wav\nc c.wav\nb b.wav\nbad bad.wav\ngone gone.wav\n"
      "a again.wav\npipe sph2pipe x.sph |\nquiet quiet.wav\nslow slow.wav\n"
      "unused c.wav\nlate c.wav\n\xff x.wav\n");
  put("d/segments",
      "u1 a 0 1\nu2 c 1 2.5\nu3 nowhere 0 1\nu4 b 0 0.5\nu5 bad 0 1\n"
      "u6 gone 0 1\nu7 quiet 0 1\nu8 slow 0 1\nu9 late 5 6\nv1 a 1\n"
      "v2 a 2 1\nv3 a 0 0.1\nv4 a 0 1\nv5 a 0 1\n");
  put("d/text",
      "u1 yes no\nu2 no\nu3 yes\nu4 yes maybe YES\nu5 no\nu6 no\nu7 no\n"
      "u8 no\nu9 no\nv3 yes no\nv4\nzz yes\nu1 no\n");
  put("d/utt2spk",
      "u1 s\nu3 s\nu4 s\nu5 s\nu6 s\nu7 s\nu8 s\nu9 s\nv3 s\n"
      "v4 s t\nv5 s\n");
}

static void test_every_fault_has_file_and_line(void **state) {
  (void)state;
  sn_corpus c;
  sn_lexicon lex;
  make_lexicon(&lex);
  put_faulty();
  assert_int_equal(sn_corpus_read(at("d"), &c, NULL), SN_OK);
  assert_int_equal(sn_corpus_check(&c, &lex, deflt(), NULL, NULL, NULL), SN_OK);
  expect(&c, SN_CORPUS_UNSORTED, "wav.scp", 3, "'b' comes after 'c'");
  expect(&c, SN_CORPUS_NO_AUDIO, "wav.scp", 4, "bad.wav");
  expect(&c, SN_CORPUS_NO_AUDIO, "wav.scp", 5, "gone.wav");
  expect(&c, SN_CORPUS_DUPLICATE, "wav.scp", 6, "line 1");
  expect(&c, SN_CORPUS_SYNTAX, "wav.scp", 7, "command");
  expect(&c, SN_CORPUS_UNUSED, "wav.scp", 10, "unused");
  expect(&c, SN_CORPUS_ENCODING, "wav.scp", 12, "UTF-8");
  expect(&c, SN_CORPUS_RATE, "wav.scp", 9, "8000 Hz");
  expect(&c, SN_CORPUS_BEYOND_END, "segments", 2, "2.5");
  expect(&c, SN_CORPUS_NO_SEGMENT, "segments", 3, "nowhere");
  expect(&c, SN_CORPUS_SILENT, "segments", 7, "silence");
  expect(&c, SN_CORPUS_BEGINS_LATE, "segments", 9, "begins");
  expect(&c, SN_CORPUS_SYNTAX, "segments", 10, "UTTERANCE RECORDING");
  expect(&c, SN_CORPUS_SYNTAX, "segments", 11, "before it begins");
  expect(&c, SN_CORPUS_NO_TEXT, "segments", 14, "v5");
  expect(&c, SN_CORPUS_NO_SPEAKER, "segments", 2, "u2");
  expect(&c, SN_CORPUS_OOV, "text", 4, "'maybe', 'YES' (it has 'yes'");
  /* five phones of 30 ms are more than 100 ms */
  expect(&c, SN_CORPUS_TOO_SHORT, "text", 10, "at least 5 phones");
  expect(&c, SN_CORPUS_EMPTY_TEXT, "text", 11, "v4");
  expect(&c, SN_CORPUS_STRANGER, "text", 12, "zz");
  expect(&c, SN_CORPUS_DUPLICATE, "text", 13, "line 1");
  expect(&c, SN_CORPUS_SYNTAX, "utt2spk", 10, "UTTERANCE SPEAKER");
  expect(&c, SN_CORPUS_UNSORTED, "wav.scp", 6, "'a' comes after 'gone'");
  expect(&c, SN_CORPUS_UNSORTED, "wav.scp", 11, "'late'");
  expect(&c, SN_CORPUS_UNSORTED, "text", 13, "'u1' comes after 'zz'");
  assert_int_equal(c.faults.n, 25);
  sn_corpus_clear(&c);
  sn_lexicon_clear(&lex);
}

static void test_a_repaired_copy_has_no_faults(void **state) {
  (void)state;
  sn_corpus c;
  sn_lexicon lex;
  size_t n = 0;
  make_lexicon(&lex);
  put_faulty();
  assert_int_equal(sn_corpus_read(at("d"), &c, NULL), SN_OK);
  assert_int_equal(sn_corpus_check(&c, &lex, deflt(), NULL, NULL, NULL), SN_OK);
  sn_err err = {0};
  assert_int_equal(sn_corpus_fix(&c, at("d"), &n, &err), SN_EARG);
  assert_non_null(strstr(err.msg, "the corpus itself"));
  assert_int_equal(sn_corpus_fix(&c, at("fixed"), &n, NULL), SN_OK);
  assert_int_equal(n, 2);
  sn_corpus_clear(&c);
  assert_int_equal(sn_corpus_load(at("fixed"), &c, &err), SN_OK);
  assert_int_equal(sn_corpus_check(&c, &lex, deflt(), NULL, NULL, NULL), SN_OK);
  assert_int_equal(c.faults.n, 0);
  assert_int_equal(c.utts.n, 2);
  assert_string_equal(c.utts.data[1].id, "u2");
  assert_string_equal(c.utts.data[1].speaker, "u2");
  assert_true(c.utts.data[1].end_s == 2.0);
  sn_corpus_clear(&c);
  sn_lexicon_clear(&lex);
}

static void test_a_faulty_corpus_is_not_used(void **state) {
  (void)state;
  sn_corpus c;
  sn_err err = {0};
  put_faulty();
  assert_int_equal(sn_corpus_load(at("d"), &c, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "senone corpus check"));
  assert_int_equal(c.utts.n, 0);
}

/* ---- Parts ---- */

static void put_sound(int n, bool backwards) {
  FILE *const scp = fopen(at("d/wav.scp"), "w");
  FILE *const spk = fopen(at("d/utt2spk"), "w");
  FILE *const text = fopen(at("d/text"), "w");
  for (int k = 0; k < n; k++) {
    const int i = backwards ? n - 1 - k : k;
    fprintf(scp, "s%d-%02d %s.wav\n", i % 5, i, i % 2 ? "a" : "b");
    fprintf(spk, "s%d-%02d s%d\n", i % 5, i, i % 5);
    fprintf(text, "s%d-%02d yes\n", i % 5, i);
  }
  fclose(scp);
  fclose(spk);
  fclose(text);
  unlink(at("d/segments"));
}

static size_t choose(const sn_corpus_split_opts *o, char *names, size_t size) {
  sn_corpus c;
  size_t n = 0, *order = NULL;
  assert_int_equal(sn_corpus_load(at("d"), &c, NULL), SN_OK);
  assert_int_equal(sn_corpus_measure(&c, SN_CORPUS_HEADERS, NULL, NULL, NULL),
                   SN_OK);
  bool *const on = calloc(c.utts.n, sizeof *on);
  assert_int_equal(sn_corpus_choose(&c, o, on, NULL), SN_OK);
  assert_int_equal(sni_corpus_sorted(&c, &order, NULL), SN_OK);
  names[0] = '\0';
  for (size_t i = 0; i < c.utts.n; i++) {
    if (!on[order[i]]) continue;
    n++;
    strncat(names, c.utts.data[order[i]].id, size - strlen(names) - 2);
    strcat(names, " ");
  }
  free(on);
  sn_free(order);
  sn_corpus_clear(&c);
  return n;
}

static void test_choice_depends_on_seed_not_on_line_order(void **state) {
  (void)state;
  sn_corpus_split_opts o;
  char one[512], two[512], other[512];
  sn_opt_defaults(sn_corpus_split_opt_table, &o);
  o.n = 2;
  put_sound(20, false);
  assert_int_equal(choose(&o, one, sizeof one), 8); /* 2 speakers of 4 */
  put_sound(20, true);
  assert_int_equal(choose(&o, two, sizeof two), 8);
  assert_string_equal(one, two);
  bool differs = false;
  for (o.seed = 2; o.seed < 8; o.seed++) {
    (void)choose(&o, other, sizeof other);
    differs = differs || strcmp(one, other) != 0;
  }
  assert_true(differs);
}

static void test_limits_of_a_choice(void **state) {
  (void)state;
  sn_corpus_split_opts o;
  char names[512];
  put_sound(20, false);
  sn_opt_defaults(sn_corpus_split_opt_table, &o);
  o.fraction = 1;
  o.per_speaker = 1;
  assert_int_equal(choose(&o, names, sizeof names), 5);
  assert_string_equal(names, "s0-00 s1-01 s2-02 s3-03 s4-04 ");
  o.per_speaker = 0;
  o.by = 1;
  o.n = 4;
  o.order = 2; /* the even ones are shorter */
  assert_int_equal(choose(&o, names, sizeof names), 4);
  assert_string_equal(names, "s0-00 s0-10 s1-06 s1-16 ");
  o.n = 0;
  o.order = 1;
  o.hours = 1.4 / 3600; /* 0.5 + 0.5 + 1 s by name: s0-00 s0-05 s0-10 */
  assert_int_equal(choose(&o, names, sizeof names), 2);
  put("list", "s3\n\ns1\n");
  sn_opt_defaults(sn_corpus_split_opt_table, &o);
  o.list = at("list");
  assert_int_equal(choose(&o, names, sizeof names), 8);
  sn_corpus c;
  bool on[20];
  sn_err err = {0};
  put("list", "s3\nnobody\n");
  assert_int_equal(sn_corpus_load(at("d"), &c, NULL), SN_OK);
  assert_int_equal(sn_corpus_choose(&c, &o, on, &err), SN_EFORMAT);
  assert_non_null(
      strstr(err.msg, "list:2: the corpus has no speaker 'nobody'"));
  sn_corpus_clear(&c);
}

/* ---- Other forms ---- */

static void test_manifest(void **state) {
  (void)state;
  sn_corpus_import_opts o;
  sn_corpus c;
  sn_err err = {0};
  sn_opt_defaults(sn_corpus_import_opt_table, &o);
  put("m.tsv",
      "speaker\tpath\tbegin\tend\tid\ttext\tother\n"
      "s\tc.wav\t0\t0.5\tx1\tyes no\t\ns\tc.wav\t0.5\t\tx2\tno\t7\n");
  assert_int_equal(sn_corpus_import(at("m.tsv"), &o, NULL, &c, &err), SN_OK);
  assert_int_equal(c.utts.n, 2);
  assert_int_equal(c.recs.n, 1);
  assert_true(c.has_segments && c.has_text && c.has_speakers);
  assert_string_equal(c.utts.data[0].text, "yes no");
  assert_true(c.utts.data[0].end_s == 0.5 && c.utts.data[1].begin_s == 0.5);
  sn_corpus_clear(&c);
  put("m.tsv", "path\ttext\na.wav\tyes\nnone.wav\tno\na.wav\tno\nb.wav\n");
  assert_int_equal(sn_corpus_import(at("m.tsv"), &o, NULL, &c, &err),
                   SN_EFORMAT);
  assert_non_null(strstr(err.msg, "m.tsv:3: there is no recording"));
  assert_non_null(strstr(err.msg, "3 faults"));
  o.skip_faulty = true;
  assert_int_equal(sn_corpus_import(at("m.tsv"), &o, NULL, &c, NULL), SN_OK);
  assert_int_equal(c.utts.n, 1);
  sn_corpus_clear(&c);
  put("m.tsv", "a b c\n");
  sn_err_clear(&err);
  assert_int_equal(sn_corpus_import(at("m.tsv"), &o, NULL, &c, &err),
                   SN_EFORMAT);
  assert_non_null(strstr(err.msg, "column 'path'"));
}

static void test_tree(void **state) {
  (void)state;
  sn_corpus_import_opts o;
  sn_corpus c;
  sn_opt_defaults(sn_corpus_import_opt_table, &o);
  const char *const folders[] = {"t", "t/84", "t/84/1", "t/9", "t/9/2"};
  for (size_t i = 0; i < 5; i++) mkdir(at(folders[i]), 0777);
  put("t/84/1/84-1.trans.txt", "84-1-0000 YES\n84-1-0001 NO NO\n");
  put("t/9/2/9-2.trans.txt", "9-2-0000 YES NO\n");
  put_wav("t/84/1/84-1-0000.flac", 16000, 0.2, 100);
  put_wav("t/84/1/84-1-0001.flac", 16000, 0.2, 100);
  put_wav("t/9/2/9-2-0000.wav", 16000, 0.2, 100);
  sn_err err = {0};
  assert_int_equal(sn_corpus_import(at("t"), &o, NULL, &c, &err), SN_OK);
  assert_int_equal(c.utts.n, 3);
  assert_string_equal(c.utts.data[0].speaker, "84");
  assert_string_equal(c.utts.data[2].speaker, "9");
  assert_string_equal(c.utts.data[1].text, "NO NO");
  sn_corpus_stats t;
  assert_int_equal(sn_corpus_measure(&c, SN_CORPUS_SAMPLES, NULL, NULL, NULL),
                   SN_OK);
  assert_int_equal(sn_corpus_count(&c, NULL, NULL, &t, NULL), SN_OK);
  assert_int_equal(t.n_words, 5);
  assert_int_equal(t.n_types, 2);
  assert_int_equal(t.n_speakers, 2);
  assert_true(t.speech_s > 0.6 - 1e-9 && t.speech_s < 0.6 + 1e-9); /* 3 x 0.2 */
  sn_corpus_clear(&c);
}

/* ---- Memory ---- */

static void test_every_allocation_may_fail(void **state) {
  (void)state;
  sn_corpus c;
  put_faulty();
  for (long k = 0;; k++) {
    const long live = sn_mem_live();
    sn_mem_fail_after(k);
    sn_status s = sn_corpus_read(at("d"), &c, NULL);
    if (s == SN_OK) s = sn_corpus_check(&c, NULL, deflt(), NULL, NULL, NULL);
    if (s == SN_OK) s = sn_corpus_fix(&c, at("fixed"), NULL, NULL);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sn_corpus_clear(&c);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      break;
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_fault_has_file_and_line),
      cmocka_unit_test(test_a_repaired_copy_has_no_faults),
      cmocka_unit_test(test_a_faulty_corpus_is_not_used),
      cmocka_unit_test(test_choice_depends_on_seed_not_on_line_order),
      cmocka_unit_test(test_limits_of_a_choice),
      cmocka_unit_test(test_manifest),
      cmocka_unit_test(test_tree),
      cmocka_unit_test(test_every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
