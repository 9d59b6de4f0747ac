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

static sn_status fill(senone_result *r, const sn_graph *g, const sn_hyp *h,
                      double offset_s, sn_err *err) {
  size_t n_bytes = 1, n_text = 1;
  for (size_t i = 0; i < h->n_words; i++)
    n_text += strlen(sn_graph_word(g, h->words[i].word)) + 1;
  for (size_t i = 0; i < h->n_phones; i++)
    n_bytes += strlen(sn_graph_phone(g, h->phones[i].phone)) + 1;
  r->strings = sn_calloc(n_bytes + n_text, 1);
  r->text = sn_calloc(n_text, 1);
  r->words = sn_calloc(h->n_words, sizeof *r->words);
  r->phones = sn_calloc(h->n_phones, sizeof *r->phones);
  if (!r->strings || !r->text || !r->words || !r->phones)
    return sn_fail_nomem(err, "result");
  char *at = r->strings, *text = r->text;
  for (size_t i = 0; i < h->n_words; i++) {
    const sn_hyp_word *const w = &h->words[i];
    const char *const word = sn_graph_word(g, w->word);
    if (i > 0) *text++ = ' ';
    const size_t n = strlen(word);
    memcpy(text, word, n);
    text += n;
    r->words[i] = (senone_word){.word = keep(&at, word),
                                .begin_s = offset_s + w->begin_s,
                                .end_s = offset_s + w->end_s,
                                .graph_cost = (double)w->graph_cost,
                                .acoustic_cost = (double)w->acoustic_cost};
  }
  for (size_t i = 0; i < h->n_phones; i++) {
    const sn_hyp_phone *const p = &h->phones[i];
    r->phones[i] =
        (senone_phone){keep(&at, sn_graph_phone(g, p->phone)),
                       offset_s + p->begin_s, offset_s + p->end_s, p->word};
    if (p->word < 0) continue;
    senone_word *const w = &r->words[p->word];
    if (w->n_phones++ == 0) w->first_phone = i;
  }
  r->n_words = h->n_words;
  r->n_phones = h->n_phones;
  return SN_OK;
}

sn_status sni_result_create(const sn_graph *g, const sn_hyp *hyp,
                            uint32_t flags, double begin_s, double end_s,
                            senone_result **out, sn_err *err) {
  *out = NULL;
  senone_result *const r = sn_calloc(1, sizeof *r);
  if (r == NULL) return sn_fail_nomem(err, "result");
  const sn_status s = fill(r, g, hyp, begin_s, err);
  if (s != SN_OK) {
    senone_result_destroy(r);
    return s;
  }
  r->flags = flags;
  r->graph_cost = hyp->graph_cost;
  r->acoustic_cost = hyp->acoustic_cost;
  r->begin_s = begin_s;
  r->end_s = end_s;
  *out = r;
  return SN_OK;
}

void senone_result_destroy(senone_result *r) {
  if (r == NULL) return;
  sn_free(r->words);
  sn_free(r->phones);
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

double senone_result_graph_cost(const senone_result *r) {
  return r->graph_cost;
}
double senone_result_acoustic_cost(const senone_result *r) {
  return r->acoustic_cost;
}
double senone_result_begin_s(const senone_result *r) { return r->begin_s; }
double senone_result_end_s(const senone_result *r) { return r->end_s; }
