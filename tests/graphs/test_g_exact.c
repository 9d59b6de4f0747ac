/* SPDX-License-Identifier: Apache-2.0 */
/* What a sentence costs in G, against its ARPA file read as the definition
 * says (tests/ref/ngram_ref.h): the path that backs off only where it must
 * costs -ln p, for models of order 1 to 5 with and without missing contexts;
 * the best path costs what the cheapest way of backing off costs. How often
 * that is less than -ln p is printed for models that were estimated. */
#include <math.h>

#include "base/io.h"
#include "base/mem.h"
#include "graphs/build_internal.h"
#include "lm/count.h"
#include "lm/estimate.h"
#include "tests/lm/lm_support.h"
#include "tests/ref/ngram_ref.h"

enum { MAX_TOKENS = 64, MAX_SENTENCE = 400 };
static const double ln10 = 2.302585092994045684;

/* A sentence of n tokens: each costs at most SN_NGRAM_MAX_ORDER = 5 back-offs
 * and an n-gram, floats of at most 16 nats (ln 1e-7), rounded once when the
 * ARPA file was read and once as an arc: n * 6 * 16 * 2 * 2^-24. A -99 ("<s>")
 * is never on a path. */
static double tolerance(int32_t n) { return (double)(n + 1) * 1.2e-5; }

/* ---- G from ARPA text ---- */

typedef struct fixture {
  sn_lexicon lex;
  sn_ngram *lm;
  ref_lm *ref;
  bool *has_pron;
  sni_missing missing;
  sni_wordgraph g;
} fixture;

static bool is_mark(const sn_ngram *lm, int32_t w) {
  return w == sn_ngram_bos(lm) || w == sn_ngram_eos(lm) ||
         w == sn_ngram_unk(lm);
}

static void open_text(fixture *f, const char *arpa, const char *unsaid) {
  sn_err err = {0};
  const char *phones[] = {"x"};
  sn_graph_opts opts;
  memset(f, 0, sizeof *f);
  f->lm = load_text(arpa);
  f->ref = ref_lm_read(arpa);
  must(sn_lexicon_init(&f->lex, &err), &err);
  const int32_t n = sn_ngram_n_words(f->lm);
  for (int32_t w = 0; w < n; w++)
    if (!is_mark(f->lm, w))
      must(sn_lexicon_add(&f->lex, sn_ngram_word(f->lm, w), 0, phones, 1, &err),
           &err);
  must(sn_lexicon_group(&f->lex, &err), &err);
  f->has_pron = calloc((size_t)n, sizeof *f->has_pron);
  for (int32_t w = 0; w < sn_symtab_n(f->lex.words); w++)
    f->has_pron[w] = strcmp(sn_symtab_get(f->lex.words, w), unsaid) != 0;
  sn_opt_defaults(sn_graph_opt_table, &opts);
  must(sni_wordgraph_ngram(f->lm, &f->lex, f->has_pron, &opts, NULL, NULL,
                           &f->missing, &f->g, &err),
       &err);
  must(sni_wordgraph_check(&f->g, &err), &err);
}

static void close_text(fixture *f) {
  sni_wordgraph_clear(&f->g);
  sn_ngram_destroy(f->lm);
  ref_lm_free(f->ref);
  sn_lexicon_clear(&f->lex);
  sn_str_clear(&f->missing.names);
  free(f->has_pron);
}

/* ---- Paths of G ---- */

static const sni_g_arc *find_arc(const sni_wordgraph *g, int32_t s, int32_t w) {
  for (uint32_t i = g->first.data[s]; i < g->first.data[s + 1]; i++)
    if (g->arcs.data[i].word == w) return &g->arcs.data[i];
  return NULL;
}

/* Backs off only where there is no arc for the word; infinite where there is
 * no way at all. */
static double plain_cost(const sni_wordgraph *g, const char *const *words,
                         int32_t n) {
  int32_t s = g->start;
  double cost = 0;
  for (int32_t i = 0; i < n; i++) {
    const int32_t w = sn_symtab_finds(g->words, words[i]);
    const sni_g_arc *a = w < 0 ? NULL : find_arc(g, s, w);
    while (a == NULL) {
      a = find_arc(g, s, -1);
      if (a == NULL || w < 0) return HUGE_VAL;
      cost += (double)a->cost;
      s = a->dest;
      a = find_arc(g, s, w);
    }
    cost += (double)a->cost;
    s = a->dest;
  }
  return cost + (double)g->final.data[s];
}

typedef struct tokens {
  int32_t n, state[MAX_TOKENS];
  double cost[MAX_TOKENS];
} tokens;

static void token_add(tokens *t, int32_t state, double cost) {
  for (int32_t i = 0; i < t->n; i++)
    if (t->state[i] == state) {
      t->cost[i] = fmin(t->cost[i], cost);
      return;
    }
  assert_true(t->n < MAX_TOKENS);
  t->state[t->n] = state;
  t->cost[t->n++] = cost;
}

/* A state without a word leads to a lower one: highest first. */
static void token_close(const sni_wordgraph *g, tokens *t) {
  int32_t below = INT32_MAX;
  for (;;) {
    int32_t at = -1;
    for (int32_t i = 0; i < t->n; i++)
      if (t->state[i] < below && (at < 0 || t->state[i] > t->state[at])) at = i;
    if (at < 0) return;
    below = t->state[at];
    const sni_g_arc *const a = find_arc(g, below, -1);
    if (a != NULL) token_add(t, a->dest, t->cost[at] + (double)a->cost);
  }
}

/* The best of all paths. */
static double best_cost(const sni_wordgraph *g, const char *const *words,
                        int32_t n) {
  tokens t = {1, {g->start}, {0}};
  for (int32_t i = 0; i < n; i++) {
    tokens next = {0};
    const int32_t w = sn_symtab_finds(g->words, words[i]);
    token_close(g, &t);
    for (int32_t k = 0; k < t.n; k++) {
      const sni_g_arc *const a = w < 0 ? NULL : find_arc(g, t.state[k], w);
      if (a != NULL) token_add(&next, a->dest, t.cost[k] + (double)a->cost);
    }
    t = next;
  }
  double best = HUGE_VAL;
  token_close(g, &t);
  for (int32_t k = 0; k < t.n; k++)
    best = fmin(best, t.cost[k] + (double)g->final.data[t.state[k]]);
  return best;
}

/* ---- The definition ---- */

static void join(const char *const *words, int32_t n, char *out) {
  out[0] = '\0';
  for (int32_t i = 0; i < n; i++) {
    if (i > 0) strcat(out, " ");
    strcat(out, words[i]);
  }
}

/* -ln p of all[1 .. n], with all[0] = "<s>" and all[n] = "</s>". */
static double arpa_cost(const ref_lm *ref, const char *const *all, int32_t n) {
  double sum = 0;
  int matched;
  for (int32_t i = 1; i <= n; i++)
    sum += ref_lm_score(ref, all, i + 1, &matched);
  return -sum * ln10;
}

/* The cheapest way to say all[at .. n] when all[from .. at) is the history:
 * before each word it may be cut, at what backing off costs, whether or not the
 * word needs it. */
static double cheapest(const ref_lm *ref, const char *const *all, int32_t from,
                       int32_t at, int32_t n) {
  char text[4096];
  double best = HUGE_VAL, backed = 0;
  int matched;
  if (at - from > ref->order - 1) from = at - (ref->order - 1);
  for (int32_t h = from; h <= at; h++) {
    const double own = -ref_lm_score(ref, all + h, at + 1 - h, &matched) * ln10;
    const double rest = at == n ? 0 : cheapest(ref, all, h, at + 1, n);
    best = fmin(best, backed + own + rest);
    join(all + h, at - h, text);
    const ref_ngram *const b = ref_lm_find(ref, text);
    if (b != NULL) backed -= b->backoff * ln10;
  }
  return best;
}

/* ---- Random models ---- */

/* How much cheaper the best path was, and where. */
typedef struct shortcuts {
  int64_t n_sentences, n_cheaper, n_tokens;
  double nats;
} shortcuts;

static void check_sentence(const fixture *f, const char *const *all, int32_t n,
                           bool is_small, shortcuts *sum) {
  const double want = arpa_cost(f->ref, all, n);
  const double got = plain_cost(&f->g, all + 1, n - 1);
  const double best = best_cost(&f->g, all + 1, n - 1);
  if (!(fabs(got - want) <= tolerance(n)))
    fail_msg("order %d, %d words: %.7f, not %.7f", f->ref->order, n - 1, got,
             want);
  assert_true(best <= got + tolerance(n));
  if (is_small) {
    const double least = cheapest(f->ref, all, 0, 1, n);
    if (!(fabs(best - least) <= tolerance(n)))
      fail_msg("best path %.7f, not %.7f", best, least);
  }
  sum->n_sentences++;
  sum->n_tokens += n;
  sum->n_cheaper += best < want - tolerance(n);
  sum->nats += want - best;
}

static void check_random(int order, double missing, uint64_t seed) {
  const random_lm shape = {.order = order,
                           .n_words = 6,
                           .keep = order > 3 ? 0.4 : 0.6,
                           .missing_prefixes = missing,
                           .shuffle = 1};
  char *const text = random_arpa(&shape, seed);
  fixture f;
  shortcuts sum = {0};
  sn_rng rng;
  sn_rng_init(&rng, seed + 1000);
  open_text(&f, text, "");
  for (int k = 0; k < 40; k++) {
    const int32_t n = 1 + (int32_t)sn_rng_below(&rng, 7);
    const char *all[9] = {"<s>"};
    char words[9][16];
    for (int32_t i = 1; i < n; i++) {
      random_word(2 + (int)sn_rng_below(&rng, 4), words[i]);
      all[i] = words[i];
    }
    all[n] = "</s>";
    check_sentence(&f, all, n, true, &sum);
  }
  close_text(&f);
  free(text);
}

static void test_sentences_of_random_models_cost_what_arpa_says(void **state) {
  (void)state;
  for (int order = 1; order <= 5; order++)
    for (uint64_t seed = 1; seed <= 6; seed++) {
      check_random(order, 0.0, seed);
      check_random(order, 0.3, seed + 100);
    }
}

static void test_sentences_with_words_that_can_not_be_said_have_no_path(
    void **state) {
  (void)state;
  const random_lm shape = {.order = 3, .n_words = 6, .keep = 0.7};
  char *const text = random_arpa(&shape, 5);
  fixture f;
  open_text(&f, text, "w3");
  const char *const oov[] = {"w2", "w3"}, *const unknown[] = {"w9"},
                    *const fine[] = {"<s>", "w2", "w4", "</s>"};
  assert_int_equal(f.missing.n_words, 1);
  assert_true(best_cost(&f.g, oov, 2) == HUGE_VAL);
  assert_true(best_cost(&f.g, unknown, 1) == HUGE_VAL);
  /* The others cost what they did. */
  shortcuts sum = {0};
  check_sentence(&f, fine, 3, true, &sum);
  close_text(&f);
  free(text);
}

/* ---- Estimated models ---- */

/* A text with some structure: each word's successors are few. */
static void write_text(sn_str *out, uint64_t seed, int n_sentences) {
  sn_rng rng;
  sn_rng_init(&rng, seed);
  for (int k = 0; k < n_sentences; k++) {
    uint32_t w = sn_rng_below(&rng, 50);
    const uint32_t n = 1 + sn_rng_below(&rng, 12);
    for (uint32_t i = 0; i < n; i++) {
      must(sn_str_addf(out, NULL, "%sv%u", i > 0 ? " " : "", w), NULL);
      w = (w * 7 + sn_rng_below(&rng, 1 + sn_rng_below(&rng, 60))) % 150;
    }
    must(sn_str_adds(out, "\n", NULL), NULL);
  }
}

/* Sentences of `text` whose words the model has. */
static shortcuts check_text(const fixture *f, const char *text) {
  static char line[65536];
  shortcuts sum = {0};
  while (*text != '\0') {
    const size_t size = strcspn(text, "\n");
    const char *all[MAX_SENTENCE + 2] = {"<s>"};
    int32_t n = 1;
    bool is_known = size < sizeof line;
    if (is_known) memcpy(line, text, size), line[size] = '\0';
    for (char *w = is_known ? strtok(line, " ") : NULL; w != NULL;
         w = strtok(NULL, " ")) {
      is_known = is_known && n <= MAX_SENTENCE && sn_ngram_find(f->lm, w) >= 0;
      if (is_known) all[n++] = w;
    }
    text += size + (text[size] == '\n');
    if (!is_known || n == 1) continue;
    all[n] = "</s>";
    check_sentence(f, all, n, false, &sum);
  }
  return sum;
}

static void report(const char *name, const shortcuts *s) {
  print_message(
      "%s: a cheaper path for %lld of %lld sentences; %.5f nats a "
      "token on average\n",
      name, (long long)s->n_cheaper, (long long)s->n_sentences,
      s->nats / (double)s->n_tokens);
}

static void check_estimated(int32_t order, int32_t method, double threshold) {
  sn_err err = {0};
  sn_str train = {0}, test = {0};
  sn_counts *c = NULL;
  sn_text_source *t = NULL;
  sn_reader *r = NULL;
  sn_ngram *lm = NULL, *pruned = NULL;
  sn_count_opts count = {0};
  sn_estimate_opts how;
  fixture f;
  write_text(&train, 1, 1500);
  write_text(&test, 2, 200);
  sn_opt_defaults(sn_count_opt_table, &count);
  sn_opt_defaults(sn_estimate_opt_table, &how);
  count.order = order;
  how.method = method;
  must(sn_counts_create(&count, NULL, &c, &err), &err);
  must(sn_text_source_create(NULL, &t, &err), &err);
  must(sn_reader_memory(train.data, train.n, "text", &r, &err), &err);
  must(sn_counts_add_text(c, t, r, &err), &err);
  must(sn_estimate_ngram(c, &how, &lm, NULL, &err), &err);
  must(sn_ngram_prune(lm, threshold, SN_PRUNE_STOLCKE, NULL, &pruned, &err),
       &err);
  const char *const path = temp_path("exact.arpa");
  must(sn_ngram_save(pruned, path, SN_NGRAM_ARPA, NULL, &err), &err);
  char *const arpa = slurp(path, NULL);
  unlink(path);
  open_text(&f, arpa, "");
  const shortcuts s = check_text(&f, test.data);
  assert_true(s.n_sentences > 100);
  char name[64];
  snprintf(name, sizeof name, "order %d, method %d, threshold %g", order,
           method, threshold);
  report(name, &s);
  close_text(&f);
  free(arpa);
  sn_ngram_destroy(lm);
  sn_ngram_destroy(pruned);
  sn_reader_destroy(r);
  sn_text_source_destroy(t);
  sn_counts_destroy(c);
  sn_str_clear(&train);
  sn_str_clear(&test);
}

static void test_sentences_of_estimated_models_cost_what_arpa_says(
    void **state) {
  (void)state;
  check_estimated(2, SN_ESTIMATE_MKN, 0);
  check_estimated(4, SN_ESTIMATE_MKN, 0);
  check_estimated(3, SN_ESTIMATE_MKN, 1e-4);
  check_estimated(3, SN_ESTIMATE_KATZ, 1e-4);
}

/* KenLM's models of War and Peace, 199 sentences it was not trained on. */
static void check_reference(const char *model) {
  char path[2][512];
  const char *const shared = getenv("SENONE_SHARED");
  const char *const dir = shared != NULL ? shared : "../shared";
  sn_err err = {0};
  sn_str arpa = {0}, text = {0};
  snprintf(path[0], sizeof *path, "%s/reference/lm/%s", dir, model);
  snprintf(path[1], sizeof *path, "%s/reference/lm/wp_test200.txt.gz", dir);
  if (!sn_file_exists(path[0])) {
    print_message("SKIPPED: no '%s' (set SENONE_SHARED)\n", path[0]);
    skip();
  }
  for (int i = 0; i < 2; i++) {
    sn_reader *r = NULL;
    sn_span line;
    bool more = true;
    must(sn_reader_open(path[i], &r, &err), &err);
    for (;;) {
      must(sn_read_line(r, &line, &more, &err), &err);
      if (!more) break;
      must(sn_str_add(i == 0 ? &arpa : &text, line.p, line.n, NULL), NULL);
      must(sn_str_adds(i == 0 ? &arpa : &text, "\n", NULL), NULL);
    }
    sn_reader_destroy(r);
  }
  fixture f;
  open_text(&f, arpa.data, "");
  const shortcuts s = check_text(&f, text.data);
  assert_true(s.n_sentences > 100);
  report(model, &s);
  close_text(&f);
  sn_str_clear(&arpa);
  sn_str_clear(&text);
}

static void test_sentences_of_the_reference_cost_what_arpa_says(void **state) {
  (void)state;
  check_reference("wp20k.o3.arpa.gz");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sentences_of_random_models_cost_what_arpa_says),
      cmocka_unit_test(
          test_sentences_with_words_that_can_not_be_said_have_no_path),
      cmocka_unit_test(test_sentences_of_estimated_models_cost_what_arpa_says),
      cmocka_unit_test(test_sentences_of_the_reference_cost_what_arpa_says),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
