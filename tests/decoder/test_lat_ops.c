/* SPDX-License-Identifier: Apache-2.0 */
/* Union, equality, drawing; and archives of all formats with their words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "decoder/lat_det.h"
#include "decoder/lat_io.h"
#include "decoder/lat_ops.h"
#include "tests/decoder/lat_random.h"
#include "tests/ref/temp_path.h"

static const sn_lat_scales scales = {1.0, 0.25, 0.0};
static const random_opts det = {8, 5, true}, loose = {7, 3, false};

/* The same lattice with states and arcs added in another order. */
static sn_lat shuffled(const sn_lat *l, sn_rng *r) {
  sn_lat out;
  sn_lat_builder *b = NULL;
  int32_t id, number[64];
  assert_int_equal(sn_lat_builder_create(&b, NULL), SN_OK);
  for (int32_t s = 0; s < l->n_states; s++) {
    assert_int_equal(sn_lat_builder_state(b, &id, NULL), SN_OK);
    number[s] = s;
  }
  for (int32_t s = l->n_states - 1; s > 0; s--) {
    const int32_t k = (int32_t)sn_rng_below(r, (uint32_t)s + 1);
    const int32_t t = number[s];
    number[s] = number[k];
    number[k] = t;
  }
  for (int32_t s = l->n_states; s-- > 0;) {
    const sn_lat_state *const x = &l->states[s];
    for (uint32_t i = x[1].first_arc; i-- > x->first_arc;) {
      const sn_lat_arc *const a = &l->arcs[i];
      assert_int_equal(sn_lat_builder_arc(
                           b, number[s], number[a->next], a->word, a->graph,
                           a->acoustic, l->ali + a->first_ali, a->n_ali, NULL),
                       SN_OK);
    }
    if (isfinite(x->final_graph))
      assert_int_equal(
          sn_lat_builder_final(b, number[s], x->final_graph, x->final_acoustic,
                               l->ali + x->first_ali, x->n_ali, NULL),
          SN_OK);
  }
  assert_int_equal(
      sn_lat_builder_take(b, l->n_states > 0 ? number[0] : 0, &out, NULL),
      SN_OK);
  sn_lat_builder_destroy(b);
  return out;
}

static void test_order_of_states_and_arcs_does_not_matter(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 31);
  for (int round = 0; round < 300; round++) {
    sn_lat l = random_lattice(&r, &det), other = shuffled(&l, &r);
    bool equal = false;
    sn_lat_diff diff;
    assert_int_equal(sn_lat_equal(&l, &other, 0.0, &equal, NULL), SN_OK);
    assert_true(equal);
    assert_int_equal(sn_lat_compare(&l, &other, &scales, 0.0, &diff, NULL),
                     SN_OK);
    assert_int_equal(diff.kind, SN_LAT_SAME);
    sn_lat_diff_clear(&diff);
    if (l.n_arcs > 0) { /* one cost, one word, one label of an alignment */
      const int32_t i = (int32_t)sn_rng_below(&r, (uint32_t)l.n_arcs);
      other.arcs[i].graph += 0.25f;
      assert_int_equal(sn_lat_equal(&l, &other, 0.1, &equal, NULL), SN_OK);
      assert_false(equal);
      assert_int_equal(sn_lat_equal(&l, &other, 0.3, &equal, NULL), SN_OK);
      assert_true(equal);
      assert_int_equal(sn_lat_compare(&l, &other, &scales, 0.1, &diff, NULL),
                       SN_OK);
      assert_int_equal(diff.kind, SN_LAT_COSTS);
      sn_lat_diff_clear(&diff);
      other.arcs[i].graph -= 0.25f;
      other.arcs[i].word = 99;
      assert_int_equal(sn_lat_equal(&l, &other, 0.0, &equal, NULL), SN_OK);
      assert_false(equal);
      assert_int_equal(sn_lat_compare(&l, &other, &scales, 0.1, &diff, NULL),
                       SN_OK);
      assert_true(diff.kind == SN_LAT_ONLY_FIRST ||
                  diff.kind == SN_LAT_ONLY_SECOND);
      sn_lat_diff_clear(&diff);
    }
    sn_lat_clear(&l);
    sn_lat_clear(&other);
  }
}

/* By enumeration: what `words` costs in l, if it is there. */
static bool cost_of(const sn_lat *l, const sn_lat_diff *d, double *graph,
                    double *acoustic) {
  random_paths all = all_paths(l);
  bool found = false;
  for (size_t i = 0; i < all.n && !found; i++) {
    found = all.p[i].n == d->words.n &&
            memcmp(all.p[i].words, d->words.data,
                   d->words.n * sizeof *d->words.data) == 0;
    *graph = all.p[i].graph;
    *acoustic = all.p[i].acoustic;
  }
  sn_free(all.p);
  return found;
}

static void test_a_difference_that_is_told_is_one(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 32);
  const random_opts small = {4, 2, true};
  int kinds[4] = {0};
  for (int round = 0; round < 600; round++) {
    sn_lat a = random_lattice(&r, &small), b = random_lattice(&r, &small);
    sn_lat_diff d;
    double ga = 0, aa = 0, gb = 0, ab = 0;
    assert_int_equal(sn_lat_compare(&a, &b, &scales, 1e-3, &d, NULL), SN_OK);
    const bool in_a = d.kind != SN_LAT_SAME && cost_of(&a, &d, &ga, &aa);
    const bool in_b = d.kind != SN_LAT_SAME && cost_of(&b, &d, &gb, &ab);
    kinds[d.kind]++;
    if (d.kind == SN_LAT_ONLY_FIRST) assert_true(in_a && !in_b);
    if (d.kind == SN_LAT_ONLY_SECOND) assert_true(in_b && !in_a);
    if (d.kind == SN_LAT_COSTS) assert_true(in_a && in_b);
    if (d.kind == SN_LAT_COSTS) /* sums of multiples of 1/16 are exact */
      assert_true(d.graph == ga - gb && d.acoustic == aa - ab &&
                  (d.graph != 0.0 || d.acoustic != 0.0));
    sn_lat_diff_clear(&d);
    sn_lat_clear(&a);
    sn_lat_clear(&b);
  }
  assert_true(kinds[SN_LAT_ONLY_FIRST] > 0 && kinds[SN_LAT_COSTS] > 0);
}

static void test_determinising_does_not_change_what_is_said(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 33);
  const sn_lat_det_opts no_limits = {1e6, 1 << 20, 1e9};
  for (int round = 0; round < 200; round++) {
    sn_lat l = random_lattice(&r, &loose), d;
    sn_lat_diff diff;
    assert_int_equal(
        sn_lat_determinize(&l, &scales, &no_limits, &d, NULL, NULL), SN_OK);
    assert_int_equal(sn_lat_compare(&l, &d, &scales, 1e-3, &diff, NULL), SN_OK);
    assert_int_equal(diff.kind, SN_LAT_SAME);
    sn_lat_diff_clear(&diff);
    sn_lat_clear(&l);
    sn_lat_clear(&d);
  }
}

static void test_a_union_has_the_paths_of_all(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 34);
  const random_opts short_ones = {3, 5, true}; /* often of one length */
  int n_united = 0;
  for (int round = 0; round < 300; round++) {
    sn_lat x[3], u, empty = {0};
    for (int i = 0; i < 3; i++) x[i] = random_lattice(&r, &short_ones);
    const sn_lat *const all[] = {&x[0], &x[1], &empty, &x[2]};
    sn_err err = {0};
    const sn_status s = sn_lat_union(all, 4, &u, &err);
    int32_t frames[64], n[3];
    for (int i = 0; i < 3; i++)
      assert_int_equal(sn_lat_times(&x[i], frames, &n[i], NULL), SN_OK);
    const bool fits = (n[0] == n[1] || n[0] == 0 || n[1] == 0) &&
                      (n[1] == n[2] || n[1] == 0 || n[2] == 0) &&
                      (n[0] == n[2] || n[0] == 0 || n[2] == 0);
    assert_int_equal(s, fits ? SN_OK : SN_EMISMATCH);
    if (fits) {
      n_united++;
      assert_int_equal(sn_lat_check(&u, NULL), SN_OK);
      random_paths got = all_paths(&u);
      size_t want = 0;
      for (int i = 0; i < 3; i++) {
        random_paths p = all_paths(&x[i]);
        for (size_t k = 0; k < p.n; k++) {
          bool found = false;
          for (size_t m = 0; m < got.n && !found; m++)
            found = same_words(&got.p[m], &p.p[k]) &&
                    got.p[m].graph == p.p[k].graph &&
                    got.p[m].acoustic == p.p[k].acoustic;
          assert_true(found);
        }
        want += p.n;
        sn_free(p.p);
      }
      assert_int_equal(got.n, want);
      sn_free(got.p);
      sn_lat_clear(&u);
    }
    for (int i = 0; i < 3; i++) sn_lat_clear(&x[i]);
  }
  assert_true(n_united > 10);
}

static sn_lat_words *some_words(const char *const *spelt, int32_t n) {
  sn_lat_words *w = NULL;
  assert_int_equal(sn_lat_words_create(&w, NULL), SN_OK);
  for (int32_t i = 0; i < n; i++)
    assert_int_equal(
        sn_lat_words_set(w, i + 1, spelt[i], strlen(spelt[i]), NULL), SN_OK);
  return w;
}
static const char *const five[] = {"one", "two", "say \"x\"", "back\\",
                                   "f\xc3\xbcnf"};

static void test_a_drawing_shows_states_words_and_costs(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 35);
  sn_lat_words *const words = some_words(five, 5);
  sn_lat l = random_lattice(&r, &det);
  const sn_lat_draw_opts opts = {scales, 0.01, 100}, few = {scales, 0.01, 1};
  sn_str text = {0};
  sn_err err = {0};
  assert_int_equal(sn_lat_draw(&l, "u\"1", words, &opts, &text, &err), SN_OK);
  const char *p = sn_str_get(&text);
  assert_non_null(strstr(p, "digraph \"u\\\"1\" {"));
  assert_non_null(strstr(p, "doublecircle"));
  int n_arcs = 0;
  for (const char *q = p; (q = strstr(q, " -> ")) != NULL; q++) n_arcs++;
  assert_int_equal(n_arcs, l.n_arcs);
  assert_int_equal(sn_lat_draw(&l, "u", words, &few, &text, &err), SN_ELIMIT);
  sn_str_clear(&text);
  sn_lat_clear(&l);
  sn_lat_words_destroy(words);
}

/* ---- Archives ---- */

enum { N_UTTS = 5 };

static const char *scratch(const char *name) {
  static char path[256];
  (void)snprintf(path, sizeof path, "%s/senone-lat-ops-%ld-%s", temp_dir(),
                 (long)getpid(), name);
  return path;
}

static void write_archive(const char *specifier, const sn_lat *l,
                          const sn_lat_words *words) {
  sn_err err = {0};
  sn_lat_writer *w = NULL;
  assert_int_equal(sn_lat_writer_open(specifier, &w, &err), SN_OK);
  sn_lat_writer_words(w, words);
  assert_int_equal(sn_lat_writer_meta(w, "acoustic-scale", "0.25", &err),
                   SN_OK);
  assert_int_equal(sn_lat_writer_meta(w, "made-by", "a test", &err), SN_OK);
  for (int i = 0; i < N_UTTS; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "utt-%d", i);
    if (sn_lat_write(w, key, &l[i], &err) != SN_OK) fail_msg("%s", err.msg);
  }
  if (sn_lat_writer_commit(w, &err) != SN_OK) fail_msg("%s", err.msg);
  sn_lat_writer_destroy(w);
}

static void test_every_format_brings_back_lattices_words_and_order(
    void **state) {
  (void)state;
  static const char *const forms[] = {"ark:", "ark,t:", "lat:", "slf:"};
  sn_rng r;
  sn_rng_init(&r, 36);
  sn_lat l[N_UTTS];
  for (int i = 0; i < N_UTTS; i++) l[i] = random_lattice(&r, &det);
  sn_lat_clear(&l[3]); /* an empty one */
  sn_lat_words *const words = some_words(five, 5);
  for (int f = 0; f < 4; f++) {
    char specifier[300];
    (void)snprintf(specifier, sizeof specifier, "%s%s%s", forms[f],
                   scratch("x"), f == 3 ? ".d/" : "");
    write_archive(specifier, l, words);
    sn_err err = {0};
    sn_lat_reader *in = NULL;
    sn_lat_words *read = NULL;
    assert_int_equal(sn_lat_words_create(&read, NULL), SN_OK);
    if (f < 2) { /* Kaldi's archives know labels only */
      sn_lat_words_destroy(read);
      read = some_words(five, 5);
    }
    /* other labels than the archive's */
    int32_t other;
    assert_int_equal(sn_lat_words_add(read, "other", 5, &other, NULL), SN_OK);
    if (sn_lat_reader_open(specifier, &in, &err) != SN_OK)
      fail_msg("%s", err.msg);
    assert_int_equal(sn_lat_reader_set_words(in, read, &err), SN_OK);
    assert_int_equal(sn_lat_reader_has_words(in), f == 2);
    if (f == 2) {
      assert_string_equal(sn_lat_reader_meta(in, "made-by"), "a test");
      assert_null(sn_lat_reader_meta(in, "a test"));
      assert_int_equal(sn_lat_reader_n(in), N_UTTS);
    }
    for (int i = 0; i < N_UTTS; i++) {
      const char *key;
      sn_lat x;
      char want[16];
      (void)snprintf(want, sizeof want, "utt-%d", i);
      if (sn_lat_next(in, &key, &x, &err) != SN_OK) fail_msg("%s", err.msg);
      assert_string_equal(key, want);
      assert_int_equal(x.n_arcs, l[i].n_arcs);
      for (int32_t a = 0; a < x.n_arcs; a++) {
        const char *const spelt = sn_lat_words_get(read, x.arcs[a].word);
        assert_non_null(spelt);
        x.arcs[a].word = sn_lat_words_find(words, spelt, strlen(spelt));
      }
      sn_lat_diff d;
      assert_int_equal(sn_lat_compare(&l[i], &x, &scales, 0.0, &d, NULL),
                       SN_OK);
      assert_int_equal(d.kind, SN_LAT_SAME);
      sn_lat_diff_clear(&d);
      sn_lat_clear(&x);
    }
    const char *key;
    sn_lat x;
    assert_int_equal(sn_lat_next(in, &key, &x, &err), SN_OK);
    assert_null(key);
    if (f == 2) {
      assert_true(sn_lat_reader_seek(in, "utt-1"));
      assert_int_equal(sn_lat_next(in, &key, &x, &err), SN_OK);
      assert_string_equal(key, "utt-1");
      sn_lat_clear(&x);
      assert_false(sn_lat_reader_seek(in, "utt-9"));
    }
    sn_lat_reader_destroy(in);
    sn_lat_words_destroy(read);
    if (f == 3) {
      for (int i = 0; i < N_UTTS; i++) {
        char name[40];
        (void)snprintf(name, sizeof name, "x.d/utt-%d.slf", i);
        assert_int_equal(remove(scratch(name)), 0);
      }
      assert_int_equal(rmdir(scratch("x.d")), 0);
    } else {
      assert_int_equal(remove(scratch("x")), 0);
    }
  }
  sn_lat_words_destroy(words);
  for (int i = 0; i < N_UTTS; i++) sn_lat_clear(&l[i]);
}

/* Reads all of an archive in memory; true: no failure. */
static bool reads(const void *data, size_t n) {
  sn_lat_reader *in = NULL;
  sn_lat_words *words = NULL;
  assert_int_equal(sn_lat_words_create(&words, NULL), SN_OK);
  sn_err err = {0};
  sn_status s = sn_lat_reader_memory(data, n, "x.lat", &in, &err);
  if (s == SN_OK) s = sn_lat_reader_set_words(in, words, &err);
  const char *key = "";
  while (s == SN_OK && key != NULL) {
    sn_lat l;
    s = sn_lat_next(in, &key, &l, &err);
    if (s == SN_OK) assert_int_equal(sn_lat_check(&l, NULL), SN_OK);
    if (s == SN_OK) sn_lat_clear(&l);
  }
  if (s != SN_OK) {
    assert_int_equal(s, SN_EFORMAT);
    assert_non_null(strstr(err.msg, "x.lat"));
  }
  sn_lat_reader_destroy(in);
  sn_lat_words_destroy(words);
  return s == SN_OK;
}

static void test_an_altered_or_cut_archive_is_refused(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 37);
  sn_lat l[N_UTTS];
  for (int i = 0; i < N_UTTS; i++) l[i] = random_lattice(&r, &det);
  sn_lat_words *const words = some_words(five, 5);
  char specifier[300];
  (void)snprintf(specifier, sizeof specifier, "lat:%s", scratch("y"));
  write_archive(specifier, l, words);
  char *data = NULL;
  size_t n = 0;
  assert_int_equal(sn_file_read(scratch("y"), &data, &n, NULL), SN_OK);
  assert_true(reads(data, n));
  for (size_t cut = 0; cut < n; cut += 1 + cut % 7)
    assert_false(reads(data, cut));
  size_t n_unseen = 0;
  for (size_t at = 0; at < n; at++) {
    data[at] = (char)(data[at] ^ (1 << at % 8));
    n_unseen += reads(data, n);
    data[at] = (char)(data[at] ^ (1 << at % 8));
  }
  /* Only zeros that pad sections to 64 bytes may change unseen. */
  assert_true(n_unseen <= 5 * 63);
  sn_free(data);
  assert_int_equal(remove(scratch("y")), 0);
  for (int i = 0; i < N_UTTS; i++) sn_lat_clear(&l[i]);
  sn_lat_words_destroy(words);
}

static void test_names_and_files_that_can_not_be_are_refused(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 38);
  sn_lat l = random_lattice(&r, &det);
  char specifier[300];
  sn_lat_writer *w = NULL;
  sn_err err = {0};
  (void)snprintf(specifier, sizeof specifier, "slf:%s", scratch("one.slf"));
  assert_int_equal(sn_lat_writer_open(specifier, &w, &err), SN_OK);
  assert_int_equal(sn_lat_write(w, "a", &l, &err), SN_OK);
  assert_int_equal(sn_lat_write(w, "b", &l, &err), SN_EARG);
  assert_non_null(strstr(err.msg, "folder"));
  sn_lat_writer_destroy(w);
  assert_false(sn_file_exists(scratch("one.slf")));
  (void)snprintf(specifier, sizeof specifier, "slf:%s/", scratch("d"));
  assert_int_equal(sn_lat_writer_open(specifier, &w, &err), SN_OK);
  static const char *const names[] = {"", "../up", "a/b", ".hidden"};
  for (size_t i = 0; i < 4; i++) {
    sn_err_clear(&err);
    assert_int_equal(sn_lat_write(w, names[i], &l, &err), SN_EARG);
  }
  sn_lat_writer_destroy(w);
  sn_lat_reader *in = NULL;
  sn_err_clear(&err);
  assert_int_equal(sn_lat_reader_open(specifier, &in, &err), SN_EIO);
  assert_non_null(strstr(err.msg, "no file that ends in"));
  assert_int_equal(rmdir(scratch("d")), 0);
  (void)snprintf(specifier, sizeof specifier, "ark:%s", scratch("z"));
  sn_err_clear(&err);
  assert_int_equal(sn_lat_writer_open(specifier, &w, &err), SN_OK);
  assert_int_equal(sn_lat_write(w, "two words", &l, &err), SN_EARG);
  sn_lat_writer_destroy(w);
  sn_lat_clear(&l);
}

static void test_each_failed_allocation_is_reported(void **state) {
  (void)state;
  sn_rng r;
  sn_rng_init(&r, 39);
  sn_lat a = random_lattice(&r, &loose), b = random_lattice(&r, &det);
  const sn_lat *const two[] = {&a, &a};
  const sn_lat_draw_opts opts = {scales, 0.01, 100};
  const long live = sn_mem_live();
  for (int what = 0; what < 4; what++)
    for (long k = 0;; k++) {
      sn_err err = {0};
      sn_lat out = {0};
      sn_lat_diff diff = {0};
      sn_str text = {0};
      bool equal;
      sn_mem_fail_after(k);
      const sn_status s =
          what == 0   ? sn_lat_union(two, 2, &out, &err)
          : what == 1 ? sn_lat_equal(&b, &b, 0.0, &equal, &err)
          : what == 2 ? sn_lat_compare(&a, &b, &scales, 0.0, &diff, &err)
                      : sn_lat_draw(&b, "t", NULL, &opts, &text, &err);
      const bool fired = sn_mem_fault_fired();
      sn_mem_fail_after(-1);
      sn_lat_clear(&out);
      sn_lat_diff_clear(&diff);
      sn_str_clear(&text);
      assert_int_equal(sn_mem_live(), live);
      if (!fired) break;
      /* Times that can not be computed are left out of a drawing. */
      assert_true(s == SN_ENOMEM);
    }
  sn_lat_clear(&a);
  sn_lat_clear(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order_of_states_and_arcs_does_not_matter),
      cmocka_unit_test(test_a_difference_that_is_told_is_one),
      cmocka_unit_test(test_determinising_does_not_change_what_is_said),
      cmocka_unit_test(test_a_union_has_the_paths_of_all),
      cmocka_unit_test(test_a_drawing_shows_states_words_and_costs),
      cmocka_unit_test(test_every_format_brings_back_lattices_words_and_order),
      cmocka_unit_test(test_an_altered_or_cut_archive_is_refused),
      cmocka_unit_test(test_names_and_files_that_can_not_be_are_refused),
      cmocka_unit_test(test_each_failed_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
