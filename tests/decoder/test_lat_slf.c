/* SPDX-License-Identifier: Apache-2.0 */
/* HTK's lattice format: the HTK Book's rules on small files written by hand,
 * what we write reads back the same, damage is refused with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/io.h"
#include "decoder/lat_ops.h"
#include "decoder/lat_slf.h"
#include "tests/decoder/lat_random.h"
#include "tests/ref/temp_path.h"

#define LN10 2.302585092994045684

static sn_status parse(const char *text, size_t n, sn_lat_words *words,
                       sn_slf_head *head, sn_lat *out, sn_err *err) {
  sn_reader *r = NULL;
  sn_status s = sn_reader_memory(text, n, "x.slf", &r, err);
  if (s == SN_OK) s = sn_lat_read_slf(r, 0.01, words, head, out, err);
  sn_reader_destroy(r);
  return s;
}

static const char on_links[] =
    "# a comment\n"
    "VERSION=1.0\n"
    "UTTERANCE=testf1.mfc\n"
    "lmname=wdnet vocab=dict\n"
    "lmscale=20.00  wdpenalty=-30.00\n"
    "N=4    L=5\n"
    "I=0    t=0.00\n"
    "I=1    t=0.36\n"
    "I=2    t=0.75\n"
    "I=3    t=0.81\n"
    "J=0 S=0 E=1 W=SILENCE v=0 a=-3239.01 l=0.00\n"
    "J=1 S=1 E=2 W=FOUR    v=0 a=-3820.77 l=-1.20 r=-0.5\n"
    "J=2 S=1 E=2 W=\"FOR A\" v=0 a=-3830.77 l=-1.30\n"
    "J=3 S=1 E=2 W=\\'CAUSE a=-4000 n=-2\n"
    "J=4 S=2 E=3 W=!NULL l=-0.25 a=0\n";

static void test_words_on_links_are_read(void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l;
  sn_slf_head head;
  sn_lat_words *words = NULL;
  assert_int_equal(sn_lat_words_create(&words, &err), SN_OK);
  assert_int_equal(parse(on_links, strlen(on_links), words, &head, &l, &err),
                   SN_OK);
  assert_string_equal(sn_str_get(&head.utterance), "testf1.mfc");
  assert_true(head.lmscale == 20.0 && head.wdpenalty == -30.0 &&
              head.acscale == 1.0);
  /* !NULL into the end became a final cost: three states are left. */
  assert_int_equal(l.n_states, 3);
  assert_int_equal(l.n_arcs, 4);
  assert_true(l.states[2].final_graph == 0.25f);
  assert_int_equal(l.states[2].n_ali, 6);
  assert_string_equal(sn_lat_words_get(words, l.arcs[0].word), "SILENCE");
  assert_string_equal(sn_lat_words_get(words, l.arcs[1].word), "FOUR");
  assert_string_equal(sn_lat_words_get(words, l.arcs[2].word), "FOR A");
  assert_string_equal(sn_lat_words_get(words, l.arcs[3].word), "'CAUSE");
  assert_true(l.arcs[0].acoustic == 3239.01f && l.arcs[0].graph == 0.0f);
  assert_true(l.arcs[1].graph == 1.7f);
  assert_true(l.arcs[3].graph == 2.0f); /* n= where there is no l= */
  int32_t frames[3], n_frames;
  assert_int_equal(sn_lat_times(&l, frames, &n_frames, &err), SN_OK);
  assert_int_equal(frames[1], 36);
  assert_int_equal(frames[2], 75);
  assert_int_equal(n_frames, 81);
  sn_lat_clear(&l);
  sn_slf_head_clear(&head);
  sn_lat_words_destroy(words);
}

static void test_words_on_nodes_belong_to_the_links_into_them(void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l;
  sn_lat_words *words = NULL;
  assert_int_equal(sn_lat_words_create(&words, &err), SN_OK);
  /* log base 10; the start has a word, which needs an arc of its own; long
   * field names; tscale in frames of 10 ms */
  static const char text[] =
      "VERSION=1.0\nbase=10 tscale=0.01\nNODES=3 LINKS=2\n"
      "I=2 time=50 WORD=!NULL\n"
      "I=0 time=0 WORD=<s>\nI=1 time=20 WORD=yes a=-7\n"
      "J=0 START=0 END=1 language=-2 \nJ=1 S=1 E=2 acoustic=-3 l=-1\n";
  assert_int_equal(parse(text, strlen(text), words, NULL, &l, &err), SN_OK);
  assert_int_equal(l.n_states, 3);
  assert_int_equal(l.n_arcs, 2);
  assert_string_equal(sn_lat_words_get(words, l.arcs[0].word), "<s>");
  assert_string_equal(sn_lat_words_get(words, l.arcs[1].word), "yes");
  assert_true(l.arcs[1].graph == (float)(2 * LN10));
  assert_true(l.arcs[1].acoustic == (float)(7 * LN10)); /* the node's */
  assert_int_equal(l.arcs[1].n_ali, 20);
  assert_true(l.states[2].final_acoustic == (float)(3 * LN10));
  assert_int_equal(l.states[2].n_ali, 30);
  sn_lat_clear(&l);
  sn_lat_words_destroy(words);
}

static void test_probabilities_without_logarithm_and_plain_graphs_are_read(
    void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l;
  /* base=0; no lines of nodes; words are numbers without a table */
  static const char text[] =
      "base=0\nN=3 L=3\nJ=0 S=0 E=1 W=7 l=0.25\nJ=1 S=0 E=1 W=8 l=0.75\n"
      "J=2 S=1 E=2 W=9 a=1 l=1\n";
  assert_int_equal(parse(text, strlen(text), NULL, NULL, &l, &err), SN_OK);
  assert_int_equal(l.n_arcs, 3);
  assert_int_equal(l.arcs[0].word, 7);
  assert_true(l.arcs[0].graph == (float)-log(0.25));
  assert_int_equal(l.n_ali, 0);
  sn_lat_clear(&l);
  assert_int_equal(parse("N=0 L=0\n", 8, NULL, NULL, &l, &err), SN_OK);
  assert_int_equal(l.n_states, 0);
  assert_int_equal(parse("N=1 L=0\nI=0\n", 12, NULL, NULL, &l, &err), SN_OK);
  assert_int_equal(l.n_states, 1);
  sn_lat_clear(&l);
}

static void test_what_is_wrong_is_refused_with_its_line(void **state) {
  (void)state;
  static const struct {
    const char *text, *says;
  } bad[] = {
      {"", "x.slf: no lattice in it: it is empty"},
      {"\n\n", "x.slf:2: no lattice here"},
      {"VERSION=1.0\n", "no lattice here"},
      {"N=2\nI=0\n", "x.slf:2: no L= (links)"},
      {"N=2 L=1\nI=0\nJ=0 S=0 E=1\n", "ends without node I=1"},
      {"N=2 L=2\nI=0\nI=1\nJ=0 S=0 E=1\n", "x.slf:4: ends after 1 links"},
      {"N=2 L=0\nI=0\nI=1\nJ=0 S=0 E=1\n", "x.slf:4: link J=0, but L=0"},
      {"N=2 L=2\nI=0\nI=1\nJ=0 S=0 E=1\nJ=0 S=0 E=1\n",
       "x.slf:5: a second link J=0"},
      {"N=2 L=1\nI=0\nI=1\nI=1\nJ=0 S=0 E=1\n", "x.slf:4: more nodes"},
      {"N=3 L=1\nI=0\nI=1\nI=1\nJ=0 S=0 E=1\n", "x.slf:4: a second node I=1"},
      {"N=2 L=1\nI=0\nI=2\nJ=0 S=0 E=1\n", "x.slf:3: node I=2, but N=2"},
      {"N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=2\n", "x.slf:4: link J=0 from 0 to 2"},
      {"N=2 L=1\nI=0\nI=1\nJ=0 S=0\n", "x.slf:4: link J=0 has no E="},
      {"N=two L=1\n", "x.slf:1: N=two is not a whole number"},
      {"N=2 L=-1\n", "x.slf:1: L=-1"},
      {"N=2 L=1\nI=0 t=x\n", "x.slf:2: t=x is not a number"},
      {"N=2 L=1\nI=0 t=1e9\n", "x.slf:2: t=1e9 is not a time"},
      {"N=2 L=1\nI=0 t=-1\n", "x.slf:2: t=-1 is not a time"},
      {"N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1 a=nan\n", "x.slf:4: a=nan"},
      {"N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1 a=inf\n", "x.slf:4: a=inf"},
      {"N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1 a=-1e39\n", "x.slf:4: a=-1e39"},
      {"N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1 W=\"a\n", "x.slf:4: the value of W="},
      {"N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1 W=\n", "x.slf:4: W= is not a word"},
      {"N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1 what\n", "x.slf:4: expected name=value"},
      {"N=2 L=1\nI=0\nI=1\nnonsense=1\n", "x.slf:4: neither a node"},
      {"N=2 L=1\nI=0 t=0\nI=1\nJ=0 S=0 E=1\n",
       "x.slf:4: this link needs the time (t=) of node 1"},
      {"N=2 L=1\nI=0 t=1\nI=1 t=0.5\nJ=0 S=0 E=1\n",
       "x.slf:4: link J=0 ends 50 frames before it begins"},
      {"N=4 L=4\nI=0\nI=1\nI=2\nI=3\nJ=0 S=0 E=1\nJ=1 S=1 E=2\nJ=2 S=2 E=1\n"
       "J=3 S=2 E=3\n",
       "is part of a cycle"},
      {"N=2 L=2\nI=0\nI=1\nJ=0 S=0 E=0\nJ=1 S=0 E=1\n",
       "x.slf:4: link J=0 from node 0 to node 0 is part of a cycle"},
      {"N=3 L=2\nI=0\nI=1\nI=2\nJ=0 S=0 E=2\nJ=1 S=1 E=2\n",
       "x.slf:3: nodes 0 and 1 may both be the start"},
      {"N=3 L=2\nI=0\nI=1\nI=2\nJ=0 S=0 E=1\nJ=1 S=0 E=2\n",
       "x.slf:4: nodes 1 and 2 may both be the end"},
      {"start=7 N=2 L=1\nI=0\nI=1\nJ=0 S=0 E=1\n", "start=7, but N=2"},
      {"SUBLAT=x\nN=2 L=1\n", "x.slf:1: sub-lattices are not read"},
      {"N=1 L=0\nI=0 L=x\n", "x.slf:2: sub-lattices are not read"},
      {"N=1 L=0\nI=0\n.\nN=1 L=0\n", "x.slf:4: more behind the end"},
      {"base=1 N=1 L=0\nI=0\n", "x.slf:1: base=1"},
      {"dir=b N=1 L=0\nI=0\n", "backward"},
      {"N=999999999 L=1\nJ=0 S=0 E=1\n", "N=999999999 nodes"},
      {"N=999999999 L=1\nI=999999998\nJ=0 S=0 E=1\n", ""},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sn_err err = {0};
    sn_lat l;
    sn_lat_words *words = NULL;
    assert_int_equal(sn_lat_words_create(&words, &err), SN_OK);
    const sn_status s =
        parse(bad[i].text, strlen(bad[i].text), words, NULL, &l, &err);
    if (s != SN_EFORMAT && s != SN_ENOMEM) fail_msg("%s", bad[i].text);
    if (strstr(err.msg, bad[i].says) == NULL)
      fail_msg("'%s' does not say '%s'", err.msg, bad[i].says);
    assert_int_equal(l.n_states, 0);
    sn_lat_words_destroy(words);
  }
}

static char *written(const sn_lat *l, const sn_lat_words *words, size_t *n) {
  sn_err err = {0};
  char path[256];
  temp_template(path, sizeof path, "test-slf");
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  const sn_slf_opts opts = {0.01, 1.0, 12.0, -0.5};
  sn_writer *w = NULL;
  char *data = NULL;
  assert_int_equal(sn_writer_open(path, &w, &err), SN_OK);
  assert_int_equal(sn_lat_write_slf(w, "utt", l, words, &opts, &err), SN_OK);
  assert_int_equal(sn_writer_commit(w, &err), SN_OK);
  sn_writer_destroy(w);
  assert_int_equal(sn_file_read(path, &data, n, &err), SN_OK);
  assert_int_equal(remove(path), 0);
  return data;
}

/* SLF knows no alignments: labels are 0 there. */
static void forget_alignments(sn_lat *l) {
  for (uint32_t i = 0; i < l->n_ali; i++) l->ali[i] = 0;
}

static sn_lat_words *some_words(void) {
  static const char *const spelt[] = {"one",         "two words", "'tis",
                                      "back\\slash", "\"quote\"", "W=E",
                                      "caf\xc3\xa9"};
  sn_lat_words *words = NULL;
  assert_int_equal(sn_lat_words_create(&words, NULL), SN_OK);
  for (size_t i = 0; i < sizeof spelt / sizeof *spelt; i++) {
    int32_t label;
    assert_int_equal(
        sn_lat_words_add(words, spelt[i], strlen(spelt[i]), &label, NULL),
        SN_OK);
    assert_int_equal(label, (int32_t)i + 1);
  }
  return words;
}

static void test_what_is_written_reads_back_the_same(void **state) {
  (void)state;
  const random_opts opts = {8, 7, false};
  sn_rng r;
  sn_rng_init(&r, 11);
  sn_lat_words *const words = some_words();
  for (int round = 0; round < 300; round++) {
    sn_err err = {0};
    sn_lat l = random_lattice(&r, &opts), again;
    /* Two ways without a word to the end are two links, of which only one can
     * be a final cost: what is said stays, the states need not. */
    sn_slf_head head;
    size_t n = 0;
    char *const text = written(&l, words, &n);
    if (parse(text, n, words, &head, &again, &err) != SN_OK)
      fail_msg("%s\n%s", err.msg, text);
    assert_true(head.lmscale == 12.0 && head.wdpenalty == -0.5);
    forget_alignments(&l);
    bool equal = false;
    assert_int_equal(sn_lat_equal(&l, &again, 0.0, &equal, &err), SN_OK);
    if (!equal) {
      sn_lat_diff diff;
      const sn_lat_scales scales = {1.0, 1.0, 0.0};
      assert_int_equal(sn_lat_compare(&l, &again, &scales, 0.0, &diff, &err),
                       SN_OK);
      if (diff.kind != SN_LAT_SAME) fail_msg("round %d:\n%s", round, text);
      assert_int_equal(sn_lat_is_deterministic(&l), false);
      sn_lat_diff_clear(&diff);
    }
    int32_t frames[20], n_frames, again_frames;
    assert_int_equal(sn_lat_times(&l, frames, &n_frames, &err), SN_OK);
    assert_int_equal(sn_lat_times(&again, frames, &again_frames, &err), SN_OK);
    assert_int_equal(n_frames, again_frames);
    sn_slf_head_clear(&head);
    sn_lat_clear(&l);
    sn_lat_clear(&again);
    sn_free(text);
  }
  sn_lat empty = {0}, again;
  size_t n = 0;
  char *const text = written(&empty, words, &n);
  assert_int_equal(parse(text, n, words, NULL, &again, NULL), SN_OK);
  assert_int_equal(again.n_states, 0);
  sn_free(text);
  sn_lat_words_destroy(words);
}

static void test_a_label_without_a_word_is_not_written(void **state) {
  (void)state;
  sn_err err = {0};
  sn_lat l;
  sn_lat_words *words = NULL;
  sn_writer *w = NULL;
  const sn_slf_opts opts = {0.01, 1.0, 1.0, 0.0};
  static const char text[] = "N=2 L=1\nJ=0 S=0 E=1 W=7\n";
  assert_int_equal(parse(text, strlen(text), NULL, NULL, &l, &err), SN_OK);
  assert_int_equal(sn_lat_words_create(&words, &err), SN_OK);
  char path[256];
  temp_template(path, sizeof path, "test-slf-none");
  assert_int_equal(sn_writer_open(path, &w, &err), SN_OK);
  assert_int_equal(sn_lat_write_slf(w, "u", &l, words, &opts, &err),
                   SN_EMISMATCH);
  sn_writer_destroy(w);
  sn_lat_words_destroy(words);
  sn_lat_clear(&l);
}

static void test_damaged_bytes_never_crash(void **state) {
  (void)state;
  char text[sizeof on_links];
  const size_t n = strlen(on_links);
  sn_lat l;
  for (size_t cut = 0; cut < n; cut++) {
    sn_lat_words *words = NULL;
    sn_err err = {0};
    assert_int_equal(sn_lat_words_create(&words, NULL), SN_OK);
    /* The last line still is one as long as its E= stands. */
    const sn_status s = parse(on_links, cut, words, NULL, &l, &err);
    if (cut < n - 30) assert_int_equal(s, SN_EFORMAT);
    sn_lat_clear(&l);
    sn_lat_words_destroy(words);
  }
  for (size_t at = 0; at < n; at++)
    for (int bit = 0; bit < 8; bit++) {
      sn_lat_words *words = NULL;
      sn_err err = {0};
      assert_int_equal(sn_lat_words_create(&words, NULL), SN_OK);
      memcpy(text, on_links, n);
      text[at] = (char)(text[at] ^ (1 << bit));
      if (parse(text, n, words, NULL, &l, &err) == SN_OK) {
        assert_int_equal(sn_lat_check(&l, &err), SN_OK);
        sn_lat_clear(&l);
      }
      sn_lat_words_destroy(words);
    }
}

static void test_each_failed_allocation_is_reported(void **state) {
  (void)state;
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_lat l = {0};
    sn_slf_head head = {0};
    sn_lat_words *words = NULL;
    sn_mem_fail_after(k);
    sn_status s = sn_lat_words_create(&words, &err);
    if (s == SN_OK)
      s = parse(on_links, strlen(on_links), words, &head, &l, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sn_lat_clear(&l);
    sn_slf_head_clear(&head);
    sn_lat_words_destroy(words);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
  }
}

static void test_tables_of_words_are_checked(void **state) {
  (void)state;
  static const struct {
    const char *text, *says;
  } bad[] = {
      {"", "no words"},
      {"<eps> 0\n", "no words"},
      {"a 0\n", "w:1: label 0"},
      {"a 1\nb 1\n", "w:2: label 1"},
      {"a 1\na 2\n", "w:2: word 'a' has labels 1 and 2"},
      {"a -1\n", "w:1: label -1"},
      {"a 1 2\n", "w:1: expected"},
      {"a\n", "w:1: expected"},
      {"a 999999999\n", "w:1: label 999999999"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sn_err err = {0};
    sn_reader *r = NULL;
    sn_lat_words *words = NULL;
    assert_int_equal(
        sn_reader_memory(bad[i].text, strlen(bad[i].text), "w", &r, &err),
        SN_OK);
    assert_int_equal(sn_lat_words_read(r, &words, &err), SN_EFORMAT);
    if (strstr(err.msg, bad[i].says) == NULL)
      fail_msg("'%s' does not say '%s'", err.msg, bad[i].says);
    sn_reader_destroy(r);
  }
  static const char good[] = "<eps> 0\nb 5\na 2\n";
  sn_reader *r = NULL;
  sn_lat_words *words = NULL;
  assert_int_equal(sn_reader_memory(good, strlen(good), "w", &r, NULL), SN_OK);
  assert_int_equal(sn_lat_words_read(r, &words, NULL), SN_OK);
  assert_int_equal(sn_lat_words_n(words), 6);
  assert_null(sn_lat_words_get(words, 3));
  assert_string_equal(sn_lat_words_get(words, 5), "b");
  assert_int_equal(sn_lat_words_find(words, "a", 1), 2);
  assert_int_equal(sn_lat_words_find(words, "c", 1), -1);
  int32_t label;
  assert_int_equal(sn_lat_words_add(words, "c", 1, &label, NULL), SN_OK);
  assert_int_equal(label, 6);
  sn_lat_words_destroy(words);
  sn_reader_destroy(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_on_links_are_read),
      cmocka_unit_test(test_words_on_nodes_belong_to_the_links_into_them),
      cmocka_unit_test(
          test_probabilities_without_logarithm_and_plain_graphs_are_read),
      cmocka_unit_test(test_what_is_wrong_is_refused_with_its_line),
      cmocka_unit_test(test_what_is_written_reads_back_the_same),
      cmocka_unit_test(test_a_label_without_a_word_is_not_written),
      cmocka_unit_test(test_damaged_bytes_never_crash),
      cmocka_unit_test(test_each_failed_allocation_is_reported),
      cmocka_unit_test(test_tables_of_words_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
