/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/build.c - the compiler from end to end; see build_internal.h for its
 * parts and expand.c for the algorithm. */
#include "graphs/build.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "graphs/build_internal.h"

const sn_opt sn_graph_opt_table[] = {
    {"lm-scale", SN_OPT_DOUBLE, offsetof(sn_graph_opts, lm_scale), 0, 0, 1000,
     NULL, NULL, "weight of the language model; 0: the acoustic model's"},
    {"word-penalty", SN_OPT_DOUBLE, offsetof(sn_graph_opts, word_penalty),
     SN_GRAPH_MODELS_PENALTY, -100, SN_GRAPH_MODELS_PENALTY, NULL, "nats",
     "log probability added per word, not scaled; 99: the acoustic model's"},
    {"fillers", SN_OPT_BOOL, offsetof(sn_graph_opts, fillers), 1, 0, 1, NULL,
     NULL, "silence and noises may stand between words"},
    {"noises", SN_OPT_ENUM, offsetof(sn_graph_opts, noises),
     SN_NOISES_BACKED_OFF, 0, 2, "everywhere|backed-off|none", NULL,
     "in which histories fillers other than silence stand"},
    {"silence-prob", SN_OPT_DOUBLE, offsetof(sn_graph_opts, silence_prob), 0.5,
     0, 1, NULL, NULL,
     "of silence between words where the model lists no fillers; 0: none"},
    {"edges", SN_OPT_ENUM, offsetof(sn_graph_opts, edges), SN_EDGES_OPTIONAL, 0,
     1, "optional|silence", NULL,
     "whether an utterance must begin and end in a filler"},
    {"pron-probs", SN_OPT_BOOL, offsetof(sn_graph_opts, pron_probs), 1, 0, 1,
     NULL, NULL, "use the lexicon's pronunciation probabilities"},
    {"position-phones", SN_OPT_BOOL, offsetof(sn_graph_opts, position_phones),
     0, 0, 1, NULL, NULL,
     "the acoustic model's phones are named X_B, X_I, X_E, X_S"},
    {"fold-case", SN_OPT_BOOL, offsetof(sn_graph_opts, fold_case), 0, 0, 1,
     NULL, NULL, "look words up in lower and upper case too"},
    {"on-missing", SN_OPT_ENUM, offsetof(sn_graph_opts, on_missing),
     SN_MISSING_REFUSE, 0, 1, "refuse|drop", NULL,
     "what to do when the lexicon lacks words of the language model"},
    {"lookahead", SN_OPT_DOUBLE, offsetof(sn_graph_opts, lookahead), 1, 0.01,
     1000, NULL, NULL,
     "how words share the cost of a common beginning: 1 as the sum of their "
     "probabilities, large as the best one's"},
    {"grammar-weight", SN_OPT_DOUBLE, offsetof(sn_graph_opts, grammar_weight),
     0.1, 1e-30, 1, NULL, NULL,
     "probability of a grammar beside an n-gram model"},
    {"grammar-place", SN_OPT_ENUM, offsetof(sn_graph_opts, grammar_place),
     SN_PLACE_ANYWHERE, 0, 1, "anywhere|sentence", NULL,
     "a grammar beside an n-gram model: its sentences are phrases between the "
     "model's words, or whole utterances"},
    SN_OPT_END};

/* ---- The two steps ---- */

sn_status sni_build_begin(sni_build *b, const sn_lexicon *lex,
                          const sni_hmms *hmms, const sn_graph_opts *opts,
                          sn_log *log, sn_err *err) {
  memset(b, 0, sizeof *b);
  b->hmms = hmms;
  b->opts = opts;
  b->scale = opts->lm_scale;
  b->log = log;
  SN_ASSERT(b->scale > 0);
  SN_TRY(sni_units_init(&b->units, hmms, b->scale, err));
  return sni_prons_build(lex, &b->units, opts, b->scale, log, &b->prons, err);
}

void sni_build_clear(sni_build *b) {
  sni_units_clear(&b->units);
  sni_prons_clear(&b->prons);
  sni_contexts_clear(&b->contexts);
  sni_nodes_clear(&b->nodes);
}

sn_status sni_build_finish(sni_build *b, sni_wordgraph *g,
                           const char *const *meta, size_t n_meta,
                           const char *path, sn_graph_stats *stats,
                           sn_err *err) {
  b->g = g;
  SN_TRY(sni_wordgraph_check(g, err));
  const bool fillers =
      b->opts->fillers && (b->hmms->n_fillers > 0 || b->opts->silence_prob > 0);
  SN_TRY(sni_contexts_find(g, &b->prons, &b->units, fillers, b->log,
                           &b->contexts, err));
  SN_TRY(sni_nodes_init(&b->nodes, err));
  SN_TRY(sni_expand(b, err));
  /* Not needed to write: memory for the order of states. */
  sni_contexts_clear(&b->contexts);
  sni_prons_clear(&b->prons);
  SN_ARR_FREE(&g->arcs);
  SN_ARR_FREE(&g->first);
  SN_ARR_FREE(&g->final);
  sn_free(b->nodes.hash);
  b->nodes.hash = NULL;
  return sni_layout(b, meta, n_meta, path, stats, err);
}

/* ---- An acoustic model as the compiler sees it ---- */

static const char *am_phone(const void *user, int32_t phone) {
  return sn_am_phone(user, phone);
}

static bool am_is_filler(const void *user, int32_t phone) {
  return sn_am_is_filler(user, phone);
}

static sn_hmm am_hmm(const void *user, int32_t hmm) {
  return sn_am_hmm(user, hmm);
}

static int32_t am_triphone(const void *user, int32_t base, int32_t left,
                           int32_t right, sn_wordpos pos) {
  return sn_am_triphone(user, base, left, right, pos, NULL);
}

static int32_t am_monophone(const void *user, int32_t base) {
  return sn_am_monophone(user, base);
}

static sn_am_filler am_filler(const void *user, int32_t i) {
  return sn_am_filler_at(user, i);
}

static sni_hmms hmms_of(const sn_am *am) {
  return (sni_hmms){.user = am,
                    .n_phones = sn_am_n_phones(am),
                    .n_pdfs = sn_am_n_pdfs(am),
                    .silence = sn_am_silence(am),
                    .n_fillers = sn_am_n_fillers(am),
                    .phone = am_phone,
                    .is_filler = am_is_filler,
                    .hmm = am_hmm,
                    .triphone = am_triphone,
                    .monophone = am_monophone,
                    .filler = am_filler};
}

/* ---- From models to a file ---- */

static sn_status check_missing(const sni_missing *m, int32_t n_left,
                               const sn_graph_opts *opts, sn_log *log,
                               sn_err *err) {
  if (m->n_words > 0 && opts->on_missing == SN_MISSING_REFUSE)
    return sn_fail(err, SN_EMISMATCH,
                   "%lld words of the language model can not be said with this "
                   "lexicon and acoustic model: %s%s; add them (senone lexicon "
                   "add) or leave them out with --on-missing=drop%s",
                   (long long)m->n_words, sn_str_get(&m->names),
                   m->n_words > 5 ? ", ..." : "", sni_missing_hint(m));
  if (m->n_words > 0)
    sn_warn(log,
            "%lld words of the language model are not in the lexicon and are "
            "left out: %s%s",
            (long long)m->n_words, sn_str_get(&m->names),
            m->n_words > 5 ? ", ..." : "");
  if (n_left == 0)
    return sn_fail(err, SN_EMISMATCH,
                   "no word of the language model is in the lexicon");
  return SN_OK;
}

typedef struct g_maker {
  const sni_build *b;
  const sn_graph_inputs *in;
  bool *has_pron; /* [lexicon words] */
  sni_missing *missing;
} g_maker;

static sn_status insert_classes(const g_maker *m, sni_wordgraph *g,
                                sn_err *err) {
  const sn_word_classes *const c = m->in->classes;
  sni_wordgraph *const members = sn_calloc(c->n, sizeof *members);
  sn_status s = members != NULL ? SN_OK : sn_fail_nomem(err, "classes");
  for (size_t k = 0; k < c->n && s == SN_OK; k++) {
    s = sni_wordgraph_grammar(&c->list[k].members, m->in->lex, m->has_pron,
                              m->b->opts, m->b->log, m->missing, &members[k],
                              err);
    if (s == SN_OK && isfinite(members[k].final.data[members[k].start]))
      s = sn_fail(err, SN_EARG,
                  "it has the empty phrase: a word of the language model can "
                  "not stand for nothing");
    if (s != SN_OK) sn_err_context(err, "class '%s'", c->list[k].token);
  }
  if (s == SN_OK) s = sni_wordgraph_insert_classes(g, members, c->n, err);
  for (size_t k = 0; members != NULL && k < c->n; k++)
    sni_wordgraph_clear(&members[k]);
  sn_free(members);
  return s;
}

static sn_status make_parts(const g_maker *m, sni_wordgraph *g,
                            sni_wordgraph *phrases, sn_err *err) {
  const sni_build *const b = m->b;
  const sn_graph_inputs *const in = m->in;
  if (in->lm != NULL)
    SN_TRY(sni_wordgraph_ngram(in->lm, in->lex, m->has_pron, b->opts,
                               in->classes, b->log, m->missing, g, err));
  if (in->classes != NULL && in->classes->n > 0)
    SN_TRY(insert_classes(m, g, err));
  if (in->grammar != NULL)
    SN_TRY(sni_wordgraph_grammar(in->grammar, in->lex, m->has_pron, b->opts,
                                 b->log, m->missing,
                                 in->lm != NULL ? phrases : g, err));
  return SN_OK;
}

static sn_status make_g(const sni_build *b, const sn_graph_inputs *in,
                        sni_missing *missing, sni_wordgraph *g, sn_err *err) {
  sni_wordgraph phrases = {0};
  const int32_t n = sn_symtab_n(in->lex->words);
  g_maker m = {b, in, sn_calloc((size_t)n, sizeof *m.has_pron), missing};
  if (m.has_pron == NULL) return sn_fail_nomem(err, "words");
  for (int32_t w = 0; w < n; w++)
    m.has_pron[w] =
        b->prons.word_first.data[w] < b->prons.word_first.data[w + 1];
  sn_status s = make_parts(&m, g, &phrases, err);
  const double weight = b->opts->grammar_weight;
  const bool both = in->lm != NULL && in->grammar != NULL;
  if (s == SN_OK && both && b->opts->grammar_place == SN_PLACE_SENTENCE)
    s = sni_wordgraph_choose(g, &phrases, weight, err);
  else if (s == SN_OK && both) /* state 0 is the empty history */
    s = sni_wordgraph_add(g, &phrases, 0, -log(weight), err);
  sni_wordgraph_clear(&phrases);
  sn_free(m.has_pron);
  return s;
}

static void usage(double *cpu_s, int64_t *peak_bytes) {
  struct rusage u;
  if (getrusage(RUSAGE_SELF, &u) != 0) return;
  *cpu_s = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
  *peak_bytes = (int64_t)u.ru_maxrss * 1024;
}

enum { N_META = 15 };

/* What the graph was made from. */
static sn_status make_meta(const sn_graph_inputs *in, const sn_graph_opts *opts,
                           sn_str *text, const char **meta, size_t *n_meta,
                           sn_err *err) {
  const sn_am *const am = in->am;
  const sn_ngram *const lm = in->lm;
  const sn_grammar *const grammar = in->grammar;
  size_t at[2 * N_META];
  size_t n = 0;
#define ADD(key, ...)                                    \
  do {                                                   \
    at[n++] = text->n;                                   \
    SN_TRY(sn_str_add(text, key, strlen(key) + 1, err)); \
    at[n++] = text->n;                                   \
    SN_TRY(sn_str_addf(text, err, __VA_ARGS__));         \
    SN_TRY(sn_str_add(text, "", 1, err));                \
  } while (0)
  ADD("version", "%s", SENONE_VERSION);
  ADD("am", "%s", sn_am_name(am));
  ADD("am-topology", "%08x", (unsigned)sn_am_topology_crc(am));
  ADD("lm-scale", "%.9g", opts->lm_scale);
  ADD("word-penalty", "%.9g", opts->word_penalty);
  ADD("fillers", "%s", opts->fillers ? "yes" : "no");
  ADD("noises", "%s",
      opts->noises == SN_NOISES_EVERYWHERE   ? "everywhere"
      : opts->noises == SN_NOISES_BACKED_OFF ? "backed-off"
                                             : "none");
  ADD("edges", "%s", opts->edges == SN_EDGES_SILENCE ? "silence" : "optional");
  ADD("lookahead", "%.9g", opts->lookahead);
  if (lm != NULL) {
    int64_t total = 0;
    for (int32_t k = 1; k <= sn_ngram_order(lm); k++)
      total += sn_ngram_count(lm, k);
    ADD("ngrams", "%lld", (long long)total);
  }
  if (grammar != NULL)
    ADD("grammar", "%s", grammar->name != NULL ? grammar->name : "");
  if (lm != NULL && grammar != NULL) {
    ADD("grammar-weight", "%.9g", opts->grammar_weight);
    ADD("grammar-place", "%s",
        opts->grammar_place == SN_PLACE_SENTENCE ? "sentence" : "anywhere");
  }
  if (in->classes != NULL && in->classes->n > 0) {
    sn_str names = {0};
    sn_status s = SN_OK;
    for (size_t k = 0; k < in->classes->n && s == SN_OK; k++)
      s = sn_str_addf(&names, err, "%s%s", k > 0 ? " " : "",
                      in->classes->list[k].token);
    at[n++] = text->n;
    if (s == SN_OK) s = sn_str_add(text, "classes", sizeof "classes", err);
    at[n++] = text->n;
    if (s == SN_OK) s = sn_str_add(text, sn_str_get(&names), names.n + 1, err);
    sn_str_clear(&names);
    SN_TRY(s);
  }
#undef ADD
  for (size_t i = 0; i < n; i++) meta[i] = text->data + at[i];
  *n_meta = n / 2;
  return SN_OK;
}

sn_status sn_graph_build(const sn_am *am, const sn_lexicon *lex,
                         const sn_ngram *lm, const sn_grammar *grammar,
                         const sn_graph_opts *opts, sn_log *log,
                         const char *path, sn_graph_stats *stats, sn_err *err) {
  const sn_graph_inputs in = {am, lex, lm, grammar, NULL};
  return sn_graph_build_from(&in, opts, log, path, stats, err);
}

sn_status sn_graph_build_from(const sn_graph_inputs *in,
                              const sn_graph_opts *opts, sn_log *log,
                              const char *path, sn_graph_stats *stats,
                              sn_err *err) {
  SN_ASSERT(in->lm != NULL || (in->grammar != NULL && in->classes == NULL));
  sn_status s = SN_OK;
  sn_graph_stats st = {0};
  sn_graph_opts o = *opts;
  const sni_hmms hmms = hmms_of(in->am);
  sni_build b = {0};
  sni_wordgraph g = {0};
  sni_missing missing = {0};
  sn_str text = {0};
  const char *meta[2 * N_META];
  size_t n_meta = 0;
  double cpu_before = 0;
  usage(&cpu_before, &st.peak_bytes);
  const sn_am_scales scales = sn_am_default_scales(in->am);
  if (o.lm_scale <= 0) o.lm_scale = scales.lm_scale;
  if (o.word_penalty >= SN_GRAPH_MODELS_PENALTY)
    o.word_penalty = scales.word_penalty;
  SN_TRY_GOTO(s, make_meta(in, &o, &text, meta, &n_meta, err));
  SN_TRY_GOTO(s, sni_build_begin(&b, in->lex, &hmms, &o, log, err));
  SN_TRY_GOTO(s, make_g(&b, in, &missing, &g, err));
  st.n_missing_words = missing.n_words;
  SN_TRY_GOTO(s, check_missing(&missing, sn_symtab_n(g.words), &o, log, err));
  sn_info(log, "%d words, %d histories, %zu arcs between them",
          sn_symtab_n(g.words), g.n_states, g.arcs.n);
  SN_TRY_GOTO(s, sni_build_finish(&b, &g, meta, n_meta, path, &st, err));
fail:
  if (s == SN_ENOMEM)
    sn_err_context(err,
                   "graph compiler out of memory (prune the language model "
                   "with senone lm prune, or allow more memory)");
  usage(&st.cpu_s, &st.peak_bytes);
  st.cpu_s -= cpu_before;
  if (stats != NULL) *stats = st;
  sni_build_clear(&b);
  sni_wordgraph_clear(&g);
  sn_str_clear(&missing.names);
  sn_str_clear(&text);
  return s;
}
