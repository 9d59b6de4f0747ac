/* SPDX-License-Identifier: Apache-2.0 */
/* Public language models: lm/ngram.h with its arguments checked. */
#include <math.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "lm/ngram.h"

struct senone_lm {
  sni_callbacks callbacks;
  sn_log *log; /* calls the callbacks */
  sn_ngram *lm;
};

static void on_message(void *user, sn_log_level level, const char *text) {
  const senone_lm *const m = user;
  if (m->callbacks.log != NULL)
    m->callbacks.log(m->callbacks.user, (senone_log_level)level, text);
}

senone_status senone_lm_load(const char *path, const senone_options *options,
                             senone_lm **out, senone_error *error) {
  *out = NULL;
  sn_err err = {0};
  senone_lm *const m = sn_calloc(1, sizeof *m);
  sn_status s = m != NULL ? SN_OK : sn_fail_nomem(&err, "language model");
  if (s == SN_OK && options != NULL) m->callbacks = options->callbacks;
  if (s == SN_OK)
    s = sn_log_create(on_message, NULL, m, (sn_log_level)m->callbacks.level,
                      &m->log, &err);
  if (s == SN_OK) s = sn_ngram_load(path, m->log, &m->lm, &err);
  if (s != SN_OK) {
    senone_lm_destroy(m);
    return sni_report(&err, s, error);
  }
  *out = m;
  return SENONE_OK;
}

void senone_lm_destroy(senone_lm *m) {
  if (m == NULL) return;
  sn_ngram_destroy(m->lm);
  sn_log_destroy(m->log);
  sn_free(m);
}

int32_t senone_lm_order(const senone_lm *m) { return sn_ngram_order(m->lm); }

int32_t senone_lm_n_words(const senone_lm *m) {
  return sn_ngram_n_words(m->lm);
}

const char *senone_lm_word(const senone_lm *m, int32_t id) {
  return id >= 0 && id < sn_ngram_n_words(m->lm) ? sn_ngram_word(m->lm, id)
                                                 : NULL;
}

int32_t senone_lm_find(const senone_lm *m, const char *word) {
  return sn_ngram_find(m->lm, word);
}

senone_lm_history senone_lm_begin(const senone_lm *m) {
  const sn_ngram_state h = sn_ngram_begin(m->lm);
  return (senone_lm_history){h.node, h.level, 0};
}

static bool is_history(const sn_ngram *lm, const senone_lm_history *h) {
  if (h->length == 0) return h->node == 0;
  return h->length > 0 && h->length < sn_ngram_order(lm) && h->node >= 0 &&
         h->node < sn_ngram_count(lm, h->length);
}

senone_status senone_lm_score(const senone_lm *m, senone_lm_history *history,
                              int32_t word, double *logp, int32_t *order,
                              senone_error *error) {
  sn_err err = {0};
  *logp = -INFINITY;
  if (word < -1 || word >= sn_ngram_n_words(m->lm))
    return sni_report(&err,
                      sn_fail(&err, SN_EARG, "word %d: the model has 0 to %d",
                              word, sn_ngram_n_words(m->lm) - 1),
                      error);
  if (!is_history(m->lm, history))
    return sni_report(
        &err, sn_fail(&err, SN_EARG, "the history is not of this model"),
        error);
  sn_ngram_state at = {history->length, history->node};
  *logp = sn_ngram_score(m->lm, at, word, &at, order);
  *history = (senone_lm_history){at.node, at.level, 0};
  return SENONE_OK;
}

senone_status senone_lm_score_text(const senone_lm *m, const char *words,
                                   double *logp, int32_t *n_words,
                                   int32_t *n_unknown, senone_error *error) {
  sn_err err = {0};
  sn_span rest = sn_span_of(words), field;
  sn_str word = {0};
  sn_ngram_state at = sn_ngram_begin(m->lm);
  const int32_t eos = sn_ngram_eos(m->lm), unk = sn_ngram_unk(m->lm);
  sn_status s = SN_OK;
  int32_t n[2] = {0, 0}; /* known, unknown */
  *logp = 0.0;
  while (s == SN_OK && sn_next_field(&rest, &field)) {
    sn_str_reset(&word);
    s = sn_str_add(&word, field.p, field.n, &err);
    if (s != SN_OK) break;
    const int32_t id = sn_ngram_find(m->lm, sn_str_get(&word));
    const bool known = id >= 0 && id != unk;
    const double p = sn_ngram_score(m->lm, at, known ? id : -1, &at, NULL);
    n[known ? 0 : 1]++;
    if (known) *logp += p;
  }
  sn_str_clear(&word);
  if (s == SN_OK && eos >= 0)
    *logp += sn_ngram_score(m->lm, at, eos, NULL, NULL);
  if (n_words != NULL) *n_words = n[0];
  if (n_unknown != NULL) *n_unknown = n[1];
  return sni_report(&err, s, error);
}
