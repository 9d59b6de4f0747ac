/* SPDX-License-Identifier: Apache-2.0 */
/* The second pass: lattices of a graph with a small language model, scored by
 * the large one.
 *
 * Which models: option rescore-lm, else [files] rescore-lm of model.ini (for
 * the model's own graph only). What the graph was made from: option graph-lm,
 * else option lm, else [files] graph-lm. Both are mapped and verified: 76 MB,
 * all of en-us's, take 0.1 s once a model. */
#include <math.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/io.h"
#include "base/mem.h"
#include "decoder/lat_words.h"
#include "lm/class_token.h"

static bool is_set(const char *s) { return s != NULL && s[0] != '\0'; }

static bool is_none(const char *s) {
  return s != NULL && strcmp(s, "none") == 0;
}

void sni_second_clear(sni_second *x) {
  sn_ngram_destroy(x->first);
  sn_ngram_destroy(x->full);
  SN_ARR_FREE(&x->first_words);
  SN_ARR_FREE(&x->full_words);
  memset(x, 0, sizeof *x);
}

/* [rescore] of model.ini. */
static sn_status read_opts(const senone_model *m, const sn_ini *ini,
                           sn_lat_rescore_opts *o, sn_err *err) {
  sn_opt_defaults(sn_lat_rescore_opt_table, o);
  double most = (double)o->max_histories;
  SN_TRY(sn_ini_get_double(ini, "rescore", "beam", &o->beam, err));
  SN_TRY(sn_ini_get_double(ini, "rescore", "lm-scale", &o->new_scale, err));
  SN_TRY(sn_ini_get_double(ini, "rescore", "max-histories", &most, err));
  if (!(o->beam > 0 && o->new_scale > 0 && o->new_scale <= 100 && most >= 1 &&
        most <= 1e9))
    return sn_fail(err, SN_EFORMAT,
                   "%s/model.ini: [rescore] needs beam (%g) above 0, lm-scale "
                   "(%g) above 0 and at most 100, max-histories (%g) of 1 or "
                   "more",
                   m->dir, o->beam, o->new_scale, most);
  o->max_histories = (int32_t)most;
  return SN_OK;
}

static sn_status map_words(const senone_model *m, sni_second *x, sn_err *err) {
  sn_lat_words *words = NULL;
  sn_status s = sn_lat_words_create(&words, err);
  for (int32_t i = 0; s == SN_OK && i < m->graph->n_words; i++) {
    const char *const word = sn_graph_word(m->graph, i);
    s = sn_lat_words_set(words, i + 1, word, strlen(word), err);
  }
  if (s == SN_OK) s = sn_lat_words_map(words, x->first, &x->first_words, err);
  if (s == SN_OK) s = sn_lat_words_map(words, x->full, &x->full_words, err);
  sn_lat_words_destroy(words);
  return s;
}

/* The two files; *full NULL: no second pass. */
static sn_status choose_files(const senone_model *m, const sn_ini *ini,
                              const sn_settings *s, char **first, char **full,
                              sn_err *err) {
  const bool grammar = is_set(s->grammar) || is_set(s->words);
  const bool own = !grammar && !is_set(s->lm) && !is_set(s->graph);
  *first = *full = NULL;
  if (is_none(s->rescore_lm) || (!is_set(s->rescore_lm) && !own)) return SN_OK;
  if (is_set(s->classes))
    return sn_fail(
        err, SN_EARG,
        "rescore-lm: what the members of a class cost in the graph can not be "
        "taken out; leave out class or rescore-lm, or make models of words "
        "(senone lm expand)");
  if (grammar)
    return sn_fail(err, SN_EARG,
                   "rescore-lm: a graph of a grammar or of phrases has no "
                   "language model that could be replaced");
  if (is_set(s->rescore_lm)) {
    *full = sn_strdup(s->rescore_lm);
    if (*full == NULL) return sn_fail_nomem(err, "model");
  } else {
    SN_TRY(sni_model_file(m, ini, "rescore-lm", NULL, full, err));
    if (*full == NULL) return SN_OK;
  }
  const char *const given = is_set(s->graph_lm) ? s->graph_lm
                            : is_set(s->lm)     ? s->lm
                                                : NULL;
  if (given != NULL) {
    *first = sn_strdup(given);
    if (*first == NULL) return sn_fail_nomem(err, "model");
    return SN_OK;
  }
  if (own) SN_TRY(sni_model_file(m, ini, "graph-lm", "lm.bin", first, err));
  if (*first == NULL || !sn_file_exists(*first))
    return sn_fail(err, SN_EARG,
                   "rescore-lm: the language model that the graph was made "
                   "from is needed too, to be taken out%s%s; give graph-lm",
                   *first != NULL ? ", and there is no " : "",
                   *first != NULL ? *first : "");
  return SN_OK;
}

/* A graph file tells whether more than an n-gram model is in it. */
static sn_status check_graph(const senone_model *m, sn_err *err) {
  const char *const classes = sn_graph_meta(m->graph, "classes");
  const char *const grammar = sn_graph_meta(m->graph, "grammar");
  if (classes != NULL)
    return sn_fail(err, SN_EMISMATCH,
                   "rescore-lm: the graph was made with classes (%s), and what "
                   "their members cost in it can not be taken out; leave out "
                   "rescore-lm, or make the graph of a model of words (senone "
                   "lm expand)",
                   classes);
  if (grammar != NULL)
    return sn_fail(err, SN_EMISMATCH,
                   "rescore-lm: the graph has a grammar or phrases (%s), which "
                   "no language model could replace; leave out rescore-lm",
                   grammar);
  return SN_OK;
}

/* The graph tells how many n-grams it was made from. */
static sn_status check_first(const senone_model *m, const char *path,
                             const sn_ngram *lm, sn_err *err) {
  const char *const told = sn_graph_meta(m->graph, "ngrams");
  int64_t n = 0, total = 0;
  for (int32_t k = 1; k <= sn_ngram_order(lm); k++)
    total += sn_ngram_count(lm, k);
  if (told == NULL || !sn_parse_int64(sn_span_of(told), &n) || n == total)
    return SN_OK;
  return sn_fail(err, SN_EMISMATCH,
                 "rescore-lm: the graph was made from a model of %lld n-grams, "
                 "'%s' has %lld; name the right one (graph-lm)",
                 (long long)n, path, (long long)total);
}

sn_status sni_second_open(senone_model *m, const sn_ini *ini,
                          const sn_settings *set, sn_err *err) {
  sni_second *const x = &m->second;
  char *first = NULL, *full = NULL;
  sn_status s = choose_files(m, ini, set, &first, &full, err);
  if (s == SN_OK && full != NULL) {
    s = check_graph(m, err);
    if (s == SN_OK) s = read_opts(m, ini, &x->opts, err);
    if (s == SN_OK) s = sn_ngram_load(first, m->log, &x->first, err);
    if (s == SN_OK) s = check_first(m, first, x->first, err);
    if (s == SN_OK) s = sn_ngram_load(full, m->log, &x->full, err);
    if (s == SN_OK) s = sn_class_refuse_found(x->full, full, err);
    if (s == SN_OK) s = map_words(m, x, err);
  }
  sn_free(first);
  sn_free(full);
  return s;
}

bool sni_wants_second(const senone_model *m, const sn_settings *s) {
  return m->second.full != NULL && !is_none(s->rescore_lm);
}

bool sni_wants_lattice(const senone_model *m, const sn_settings *s) {
  return s->keep_lattice || s->mbr || s->alternatives > 0 || s->nbest > 0 ||
         s->confidence >= SN_SETTINGS_CONFIDENCE_YES || sni_wants_second(m, s);
}

sn_status sni_second_row(const senone_model *m, const sn_lat_scales *k,
                         sn_lat_row **out, sn_err *err) {
  const sni_second *const x = &m->second;
  const sn_lat_lm first = {x->first, x->first_words.data, x->first_words.n};
  const sn_lat_lm full = {x->full, x->full_words.data, x->full_words.n};
  return sn_lat_row_create(k, &first, &full, &x->opts, out, err);
}
