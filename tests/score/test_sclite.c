/* SPDX-License-Identifier: Apache-2.0 */
/* Equal to sclite (Debian package sctk 2.4.10: sclite 2.10) in each
 * utterance's correct words, substitutions, deletions and insertions. Random
 * texts over few words have many equally cheap alignments: a wrong order of
 * ties shows at once. */
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
#include "base/rng.h"
#include "score/score.h"

typedef struct fixture {
  char dir[64];
  bool has_sclite;
} fixture;

static int set_up(void **state) {
  static fixture f;
  strcpy(f.dir, "/tmp/senone-sclite-XXXXXX");
  assert_non_null(mkdtemp(f.dir));
  f.has_sclite = system("sctk help sclite >/dev/null 2>&1") == 0;
  if (!f.has_sclite) print_message("no sctk: comparison left out\n");
  *state = &f;
  return 0;
}

static int tear_down(void **state) {
  char command[160];
  const fixture *const f = *state;
  (void)snprintf(command, sizeof command, "rm -r %s", f->dir);
  return system(command);
}

/* Runs sclite over ref.trn and hyp.trn; hyp.pra then has the alignments. */
static void run_sclite(const fixture *f, const char *encoding) {
  char command[300];
  (void)snprintf(command, sizeof command,
                 "cd %s && sctk sclite %s -r ref.trn trn -h hyp.trn trn -i "
                 "spu_id -o pralign -n hyp >log 2>&1",
                 f->dir, encoding);
  assert_int_equal(0, system(command));
}

static void load(const fixture *f, sn_score_words **words, sn_transcripts *ref,
                 sn_transcripts *hyp, sn_score *score) {
  char path[120];
  sn_err err = {0};
  const sn_score_opts opts = {.sclite = true};
  assert_int_equal(SN_OK, sn_score_words_create(NULL, true, words, &err));
  (void)snprintf(path, sizeof path, "%s/ref.trn", f->dir);
  assert_int_equal(SN_OK,
                   sn_transcripts_read(path, SN_TRANS_TRN, *words, ref, &err));
  (void)snprintf(path, sizeof path, "%s/hyp.trn", f->dir);
  assert_int_equal(SN_OK,
                   sn_transcripts_read(path, SN_TRANS_TRN, *words, hyp, &err));
  assert_int_equal(SN_OK,
                   sn_score_compare(ref, hyp, *words, &opts, score, &err));
}

/* Compares every "id: (x)" / "Scores: (#C #S #D #I) c s d i" of hyp.pra;
 * returns how many there are. */
static size_t compare(const fixture *f, const sn_transcripts *ref,
                      const sn_score *score) {
  char path[120], line[1 << 14], id[200] = "";
  (void)snprintf(path, sizeof path, "%s/hyp.pra", f->dir);
  FILE *const in = fopen(path, "r");
  assert_non_null(in);
  size_t n = 0;
  while (fgets(line, sizeof line, in) != NULL) {
    long c, s, d, i;
    if (sscanf(line, "id: (%199[^)])", id) == 1) continue;
    if (sscanf(line, "Scores: (#C #S #D #I) %ld %ld %ld %ld", &c, &s, &d, &i) !=
        4)
      continue;
    const int32_t u = sn_symtab_finds(ref->ids, id);
    assert_true(u >= 0);
    const sn_score_counts *const k = &score->words[u];
    if (k->cor != c || k->sub != s || k->del != d || k->ins != i)
      fail_msg("%s: sclite has %ld %ld %ld %ld, we have %ld %ld %ld %ld", id, c,
               s, d, i, (long)k->cor, (long)k->sub, (long)k->del, (long)k->ins);
    n++;
  }
  (void)fclose(in);
  return n;
}

/* Scores the two files both ways. */
static void check(const fixture *f, const char *encoding, size_t n_utts) {
  sn_score_words *words;
  sn_transcripts ref, hyp;
  sn_score score;
  run_sclite(f, encoding);
  load(f, &words, &ref, &hyp, &score);
  assert_int_equal(n_utts, compare(f, &ref, &score));
  sn_score_clear(&score);
  sn_transcripts_clear(&ref);
  sn_transcripts_clear(&hyp);
  sn_score_words_destroy(words);
}

static FILE *create(const fixture *f, const char *name) {
  char path[120];
  (void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
  FILE *const out = fopen(path, "w");
  assert_non_null(out);
  return out;
}

static void write_random(FILE *out, sn_rng *rng, const char *const *words,
                         uint32_t n_words, uint32_t max_length) {
  const uint32_t n = sn_rng_below(rng, max_length + 1);
  for (uint32_t i = 0; i < n; i++)
    fprintf(out, "%s ", words[sn_rng_below(rng, n_words)]);
}

static void write_pair(const fixture *f, uint64_t seed,
                       const char *const *words, uint32_t n_words,
                       uint32_t max_length, int n_utts) {
  FILE *const ref = create(f, "ref.trn"), *const hyp = create(f, "hyp.trn");
  sn_rng rng;
  sn_rng_init(&rng, seed);
  for (int u = 0; u < n_utts; u++) {
    write_random(ref, &rng, words, n_words, max_length);
    write_random(hyp, &rng, words, n_words, max_length);
    fprintf(ref, "(spk%d-%d)\n", u % 5, u);
    fprintf(hyp, "(spk%d-%d)\n", u % 5, u);
  }
  (void)fclose(ref);
  (void)fclose(hyp);
}

static void test_random_texts_with_many_ties(void **state) {
  const fixture *const f = *state;
  static const char *const words[] = {"a", "b", "c", "d", "E", "A"};
  if (!f->has_sclite) skip();
  for (uint32_t n_words = 1; n_words <= 6; n_words++) {
    write_pair(f, 100 + n_words, words, n_words, 12, 500);
    check(f, "", 500);
  }
  write_pair(f, 5, words, 4, 60, 100);
  check(f, "", 100);
}

/* Only ASCII letters lose their case in sclite; ';' begins a tag, '*' ends a
 * word, a backslash guards. */
static void test_words_that_sclite_reads_in_its_own_way(void **state) {
  const fixture *const f = *state;
  static const char *const words[] = {"\xc3\x89t\xc3\xa9",
                                      "\xc3\xa9t\xc3\xa9",
                                      "\xd0\x96",
                                      "\xd0\xb6",
                                      "x;tag",
                                      "X",
                                      "x*",
                                      "a\\;b",
                                      "a;b",
                                      "ab",
                                      "x**",
                                      "it's",
                                      "a:b",
                                      "-x",
                                      "x-"};
  if (!f->has_sclite) skip();
  write_pair(f, 9, words, sizeof words / sizeof words[0], 10, 600);
  check(f, "-e utf-8", 600);
  check(f, "", 600);
}

/* AN4, with the words of eight recognisers. */
static void test_real_transcripts(void **state) {
  const fixture *const f = *state;
  static const char *const systems[] = {"mono.ug",  "mono.tg",  "tri1.ug",
                                        "tri1.tg",  "tri2b.ug", "tri2b.tg",
                                        "tri3b.ug", "tri3b.tg"};
  const char *shared = getenv("SENONE_SHARED");
  if (shared == NULL) shared = "../shared";
  if (!f->has_sclite) skip();
  for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
    char command[900];
    (void)snprintf(
        command, sizeof command,
        "r=%s/data/an4/test/text h=%s/reference/an4-kaldi-hyp/%s.txt; "
        "test -r $r && test -r $h || exit 7; "
        "sed 's/^\\([^ ]*\\) *\\(.*\\)$/\\2 (\\1)/' $r >%s/ref.trn && "
        "sed 's/^\\([^ ]*\\) *\\(.*\\)$/\\2 (\\1)/' $h >%s/hyp.trn",
        shared, shared, systems[i], f->dir, f->dir);
    if (system(command) != 0) {
      print_message("no AN4 data under %s (SENONE_SHARED)\n", shared);
      skip();
    }
    check(f, "", 130);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_texts_with_many_ties),
      cmocka_unit_test(test_words_that_sclite_reads_in_its_own_way),
      cmocka_unit_test(test_real_transcripts)};
  if (system("sctk help sclite >/dev/null 2>&1") != 0) {
    fprintf(stderr, "sctk (Debian package sctk) is not installed: skipped\n");
    return 77;
  }
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
