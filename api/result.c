/* SPDX-License-Identifier: Apache-2.0 */
/* Results: words and phones with text, in one block of strings that outlives
 * the model. */
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "base/str.h"

struct senone_result {
  senone_word *words;
  size_t n_words;
  senone_phone *phones;
  size_t n_phones;
  senone_alternative *alternatives;
  size_t n_alternatives;
  senone_sentence *sentences;
  size_t n_sentences;
  char *strings, *text;
  uint32_t flags;
  double graph_cost, acoustic_cost, begin_s, end_s;
};

/* Copies s to *at, which moves behind it. */
static const char *keep(char **at, const char *s) {
  const size_t n = strlen(s) + 1;
  char *const p = memcpy(*at, s, n);
  *at += n;
  return p;
}

/* Spelling of a lattice's label. */
static const char *spelling(const sn_graph *g, int32_t label) {
  return label > 0 ? sn_graph_word(g, label - 1) : "";
}

/* Bytes of the words with blanks between and a NUL behind. */
static size_t sentence_bytes(const sn_graph *g, const sn_arr_i32 *labels) {
  size_t n = 1;
  for (size_t i = 0; i < labels->n; i++)
    n += strlen(spelling(g, labels->data[i])) + 1;
  return n;
}

static const char *keep_sentence(char **at, const sn_graph *g,
                                 const sn_arr_i32 *labels) {
  char *const p = *at;
  for (size_t i = 0; i < labels->n; i++) {
    const char *const word = spelling(g, labels->data[i]);
    const size_t n = strlen(word);
    if (i > 0) *(*at)++ = ' ';
    memcpy(*at, word, n);
    *at += n;
  }
  *(*at)++ = '\0';
  return p;
}

static size_t string_bytes(const sn_graph *g, const sni_answer *a) {
  const sn_hyp *const h = &a->hyp;
  size_t n = 1;
  for (size_t i = 0; i < h->n_words; i++)
    n += strlen(sn_graph_word(g, h->words[i].word)) + 1;
  for (size_t i = 0; i < h->n_phones; i++)
    n += strlen(sn_graph_phone(g, h->phones[i].phone)) + 1;
  for (size_t i = 0; i < a->alternatives.n; i++)
    n += strlen(spelling(g, a->alternatives.data[i].word)) + 1;
  for (size_t i = 0; i < a->nbest.n; i++)
    n += sentence_bytes(g, &a->nbest.data[i].words);
  return n;
}

static sn_status allocate(senone_result *r, const sn_graph *g,
                          const sni_answer *a, sn_err *err) {
  size_t n_text = 1;
  for (size_t i = 0; i < a->hyp.n_words; i++)
    n_text += strlen(sn_graph_word(g, a->hyp.words[i].word)) + 1;
  r->strings = sn_calloc(string_bytes(g, a), 1);
  r->text = sn_calloc(n_text, 1);
  r->words = sn_calloc(a->hyp.n_words, sizeof *r->words);
  r->phones = sn_calloc(a->hyp.n_phones, sizeof *r->phones);
  r->alternatives = sn_calloc(a->alternatives.n, sizeof *r->alternatives);
  r->sentences = sn_calloc(a->nbest.n, sizeof *r->sentences);
  if (!r->strings || !r->text || !r->words || !r->phones || !r->alternatives ||
      !r->sentences)
    return sn_fail_nomem(err, "result");
  return SN_OK;
}

static void fill_words(senone_result *r, const sn_graph *g, const sni_answer *a,
                       double offset_s, char **at) {
  char *text = r->text;
  for (size_t i = 0; i < a->hyp.n_words; i++) {
    const sn_hyp_word *const w = &a->hyp.words[i];
    const char *const word = sn_graph_word(g, w->word);
    if (i > 0) *text++ = ' ';
    const size_t n = strlen(word);
    memcpy(text, word, n);
    text += n;
    r->words[i] = (senone_word){.word = keep(at, word),
                                .begin_s = offset_s + w->begin_s,
                                .end_s = offset_s + w->end_s,
                                .graph_cost = (double)w->graph_cost,
                                .acoustic_cost = (double)w->acoustic_cost,
                                .confidence = -1.0};
    if (a->confidence == NULL) continue;
    r->words[i].confidence = a->confidence[i];
    r->words[i].first_alternative = a->first_alternative[i];
    r->words[i].n_alternatives =
        a->first_alternative[i + 1] - a->first_alternative[i];
  }
  r->n_words = a->hyp.n_words;
}

static void fill_phones(senone_result *r, const sn_graph *g, const sn_hyp *h,
                        double offset_s, char **at) {
  for (size_t i = 0; i < h->n_phones; i++) {
    const sn_hyp_phone *const p = &h->phones[i];
    r->phones[i] =
        (senone_phone){keep(at, sn_graph_phone(g, p->phone)),
                       offset_s + p->begin_s, offset_s + p->end_s, p->word};
    if (p->word < 0) continue;
    senone_word *const w = &r->words[p->word];
    if (w->n_phones++ == 0) w->first_phone = i;
  }
  r->n_phones = h->n_phones;
}

static void fill_others(senone_result *r, const sn_graph *g,
                        const sni_answer *a, char **at) {
  for (size_t i = 0; i < a->alternatives.n; i++) {
    const sni_alternative *const x = &a->alternatives.data[i];
    r->alternatives[i] =
        (senone_alternative){keep(at, spelling(g, x->word)), x->posterior};
  }
  r->n_alternatives = a->alternatives.n;
  for (size_t i = 0; i < a->nbest.n; i++) {
    const sni_sentence *const x = &a->nbest.data[i];
    r->sentences[i] = (senone_sentence){keep_sentence(at, g, &x->words),
                                        x->graph, x->acoustic, x->posterior};
  }
  r->n_sentences = a->nbest.n;
}

sn_status sni_result_create(const sn_graph *g, const sni_answer *a,
                            double begin_s, double end_s, senone_result **out,
                            sn_err *err) {
  *out = NULL;
  senone_result *const r = sn_calloc(1, sizeof *r);
  if (r == NULL) return sn_fail_nomem(err, "result");
  const sn_status s = allocate(r, g, a, err);
  if (s != SN_OK) {
    senone_result_destroy(r);
    return s;
  }
  char *at = r->strings;
  fill_words(r, g, a, begin_s, &at);
  fill_phones(r, g, &a->hyp, begin_s, &at);
  fill_others(r, g, a, &at);
  r->flags = a->flags;
  r->graph_cost = a->hyp.graph_cost;
  r->acoustic_cost = a->hyp.acoustic_cost;
  r->begin_s = begin_s;
  r->end_s = end_s;
  *out = r;
  return SN_OK;
}

void senone_result_destroy(senone_result *r) {
  if (r == NULL) return;
  sn_free(r->words);
  sn_free(r->phones);
  sn_free(r->alternatives);
  sn_free(r->sentences);
  sn_free(r->strings);
  sn_free(r->text);
  sn_free(r);
}

const char *senone_result_text(const senone_result *r) { return r->text; }
uint32_t senone_result_flags(const senone_result *r) { return r->flags; }
size_t senone_result_n_words(const senone_result *r) { return r->n_words; }
size_t senone_result_n_phones(const senone_result *r) { return r->n_phones; }

const senone_word *senone_result_word(const senone_result *r, size_t i) {
  return i < r->n_words ? &r->words[i] : NULL;
}

const senone_phone *senone_result_phone(const senone_result *r, size_t i) {
  return i < r->n_phones ? &r->phones[i] : NULL;
}

size_t senone_result_n_alternatives(const senone_result *r) {
  return r->n_alternatives;
}

const senone_alternative *senone_result_alternative(const senone_result *r,
                                                    size_t i) {
  return i < r->n_alternatives ? &r->alternatives[i] : NULL;
}

size_t senone_result_n_sentences(const senone_result *r) {
  return r->n_sentences;
}

const senone_sentence *senone_result_sentence(const senone_result *r,
                                              size_t i) {
  return i < r->n_sentences ? &r->sentences[i] : NULL;
}

double senone_result_graph_cost(const senone_result *r) {
  return r->graph_cost;
}
double senone_result_acoustic_cost(const senone_result *r) {
  return r->acoustic_cost;
}
double senone_result_begin_s(const senone_result *r) { return r->begin_s; }
double senone_result_end_s(const senone_result *r) { return r->end_s; }
