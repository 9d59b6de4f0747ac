/* SPDX-License-Identifier: Apache-2.0 */
/* The graph of the reference trigram (522 k n-grams, 72,547 words): sizes of
 * the order of Kaldi's for the same input, and less memory than its largest
 * step. Wants reference/graph of the shared data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "am/am.h"
#include "base/io.h"
#include "graphs/build.h"
#include "graphs/graph.h"

#define MODELS "/usr/share/pocketsphinx/model/en-us"

#if defined(__SANITIZE_ADDRESS__) || !defined(NDEBUG)
enum { MEASURES_NOTHING = 1 };
#else
enum { MEASURES_NOTHING = 0 };
#endif

static sn_err err;

static void ok(sn_status s) {
  if (s != SN_OK) fail_msg("%s", err.msg);
}

static void reference_path(char *out, size_t size, const char *name) {
  const char *shared = getenv("SENONE_SHARED");
  snprintf(out, size, "%s/reference/graph/%s",
           shared != NULL ? shared : "../shared", name);
}

/* The dictionary's entries for the words of the vocabulary. */
static void load_lexicon(const char *vocabulary, sn_lexicon *lex) {
  sn_lexicon all = {0};
  sn_reader *r = NULL;
  sn_span line;
  bool more = true;
  ok(sn_lexicon_load(MODELS "/cmudict-en-us.dict", NULL, &all, &err));
  ok(sn_lexicon_init(lex, &err));
  ok(sn_reader_open(vocabulary, &r, &err));
  for (;;) {
    ok(sn_read_line(r, &line, &more, &err));
    if (!more) break;
    const int32_t w = sn_symtab_find(all.words, line.p, line.n);
    if (w < 0) continue;
    int32_t first = 0;
    const int32_t n = sn_lexicon_prons(&all, w, &first);
    for (int32_t k = first; k < first + n; k++) {
      const char *phones[64];
      const sn_pron *p = &all.prons.data[k];
      assert_true(p->n_phones <= 64);
      for (int32_t i = 0; i < p->n_phones; i++)
        phones[i] = sn_symtab_get(all.phones, all.phone_ids.data[p->first + i]);
      ok(sn_lexicon_add(lex, sn_symtab_get(all.words, w), p->logp, phones,
                        (size_t)p->n_phones, &err));
    }
  }
  ok(sn_lexicon_group(lex, &err));
  sn_reader_destroy(r);
  sn_lexicon_clear(&all);
}

static void test_the_reference_graph_is_small(void **state) {
  (void)state;
  char dir[] = "/tmp/senone-reference-XXXXXX", path[96], arpa[512], vocab[512];
  sn_am *am = NULL;
  sn_lexicon lex = {0};
  sn_ngram *lm = NULL;
  sn_graph *g = NULL;
  sn_graph_opts opts;
  sn_graph_stats st;
  reference_path(arpa, sizeof arpa, "lm.arpa.gz");
  reference_path(vocab, sizeof vocab, "vocab.gz");
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/graph", dir);
  ok(sn_am_import_sphinx(MODELS "/en-us", dir, NULL, NULL, &err));
  ok(sn_am_load(dir, NULL, &am, &err));
  load_lexicon(vocab, &lex);
  ok(sn_ngram_load(arpa, NULL, &lm, &err));
  sn_opt_defaults(sn_graph_opt_table, &opts);
  ok(sn_graph_build(am, &lex, lm, NULL, &opts, NULL, path, &st, &err));
  print_message("%lld states, %lld and %lld arcs, %.1f CPU s, %.0f MB\n",
                (long long)st.n_states, (long long)st.n_emit,
                (long long)st.n_eps, st.cpu_s, (double)st.peak_bytes / 1e6);
  /* Kaldi's C o LG has 996,923 states and 2,580,073 arcs, each arc an HMM of
   * three states; reference/graph/README.md. Its peak is 365 MB. */
  assert_true(st.n_states < 3 * 2580073);
  assert_true(st.n_emit + st.n_eps < 2 * 3 * 2580073);
  assert_true(st.peak_bytes < 365000000);
  ok(sn_graph_open(path, &g, &err));
  ok(sn_graph_verify(g, &err));
  sn_graph_destroy(g);
  sn_ngram_destroy(lm);
  sn_lexicon_clear(&lex);
  sn_am_destroy(am);
  static const char *const names[] = {"graph", "am.bin", "model.ini"};
  for (size_t i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/%s", dir, names[i]);
    unlink(path);
  }
  rmdir(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_reference_graph_is_small),
  };
  char path[512];
  reference_path(path, sizeof path, "lm.arpa.gz");
  if (!sn_file_exists(path) || !sn_file_exists(MODELS "/cmudict-en-us.dict")) {
    print_message("skipped: no %s or no pocketsphinx-en-us\n", path);
    return 77;
  }
  if (MEASURES_NOTHING) {
    print_message("skipped: measures memory, of Release builds only\n");
    return 77;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
