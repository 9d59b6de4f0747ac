/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus in memory: words as ids, features of every utterance, the mean
 * of each speaker subtracted. */
#include <string.h>

#include "base/mem.h"
#include "frontend/feat_file.h"
#include "train/train_internal.h"

typedef struct loader {
  sni_corpus *c;
  sn_feat *feat;
  sn_mat *base; /* [utterances] */
  const sn_utt **from;
  sn_spk_cmvn *speakers;
  sn_log *log;
} loader;

static const char *speaker_of(const sn_utt *u) {
  return u->speaker != NULL ? u->speaker : u->id;
}

static sn_status compute(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  loader *const l = user;
  const sn_utt *const u = l->from[i];
  const sn_audio_opts a = {
      .channel = SN_CHANNEL_FIRST, .begin_s = u->begin_s, .end_s = u->end_s};
  if (sn_log_cancelled(l->log)) return sn_fail(err, SN_ECANCEL, "interrupted");
  const sn_status s =
      sn_feat_recording(l->feat, NULL, u->path, &a, l->log, &l->base[i], err);
  if (s != SN_OK) sn_err_context(err, "utterance %s", u->id);
  return s;
}

static sn_status collect(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  loader *const l = user;
  sn_log_progress(l->log, "features", "utterances", (int64_t)i + 1,
                  (int64_t)l->c->n, i + 1 == l->c->n);
  return sn_spk_cmvn_add(l->speakers, speaker_of(l->from[i]),
                         sn_mat_const(l->base[i]), err);
}

static sn_status finish(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  loader *const l = user;
  sn_mat *const base = &l->base[i];
  if (base->rows == 0) return SN_OK;
  const sn_cmvn_opts opts = {true, false};
  SN_TRY(sn_cmvn_apply(sn_spk_cmvn_find(l->speakers, speaker_of(l->from[i])),
                       opts, *base, err));
  SN_TRY(sn_mat_alloc(base->rows, l->c->dim, &l->c->utts[i].feats, err));
  const sn_status s =
      sn_deltas(2, 2, sn_mat_const(*base), l->c->utts[i].feats, err);
  sn_mat_free(base);
  return s;
}

static sn_status set(sni_corpus *c, const char *key, const char *value,
                     sn_err *err) {
  return sn_feat_config_set(c->feat, key, value, err);
}

static sn_status load_feats(sni_corpus *c, loader *l, sn_pool *pool,
                            sn_err *err) {
  SN_TRY(sn_feat_config_create(SN_FEAT_KALDI, &c->feat, err));
  SN_TRY(set(c, "use-energy", "false", err));
  SN_TRY(set(c, "cmn", "speaker", err));
  SN_TRY(set(c, "delta-order", "2", err));
  SN_TRY(sn_feat_create(c->feat, SN_FEAT_BASE, &l->feat, err));
  c->dim = 3 * sn_feat_dim(l->feat);
  l->base = sn_calloc(c->n, sizeof *l->base);
  if (l->base == NULL) return sn_fail_nomem(err, "features");
  SN_TRY(sn_spk_cmvn_create(sn_feat_dim(l->feat), &l->speakers, err));
  SN_TRY(sn_pool_ordered(pool, c->n, 0, compute, collect, l, err));
  return sn_pool_for(pool, c->n, finish, l, err);
}

/* ---- Words ---- */

static sn_status leave_out(sni_corpus *c, const sn_utt *u, const char *why,
                           sn_span word, sn_log *log, sn_err *err) {
  c->n_left_out++;
  sn_warn(log, "%s is left out: %s%.*s", u->id, why, (int)word.n, word.p);
  return sn_str_addf(&c->left_out, err, "%s\"%s\"",
                     c->left_out.n > 0 ? ", " : "", u->id);
}

static sn_status add_utt(sni_corpus *c, const sn_utt *from, loader *l,
                         sn_err *err) {
  sni_utt *const u = &c->utts[c->n];
  sn_span rest = sn_span_of(from->text != NULL ? from->text : ""), word;
  size_t n = 0;
  while (sn_next_field(&rest, &word)) n++;
  const sn_span none = {"", 0};
  if (n == 0)
    return leave_out(c, from, "there are no words for it", none, l->log, err);
  u->words = sn_calloc(n, sizeof *u->words);
  if (u->words == NULL) return sn_fail_nomem(err, "transcripts");
  rest = sn_span_of(from->text);
  while (sn_next_field(&rest, &word)) {
    const int32_t id = sn_symtab_find(c->lex.words, word.p, word.n);
    if (id < 0) {
      sn_free(u->words);
      *u = (sni_utt){0};
      return leave_out(c, from, "not in the lexicon: ", word, l->log, err);
    }
    u->words[u->n_words++] = id;
  }
  u->id = from->id;
  l->from[c->n++] = from;
  return SN_OK;
}

static sn_status load_words(sni_corpus *c, const char *data,
                            const char *lexicon, loader *l, sn_err *err) {
  SN_TRY(sn_datadir_load(data, l->log, &c->dir, err));
  SN_TRY(sn_lexicon_load(lexicon, l->log, &c->lex, err));
  c->utts = sn_calloc(c->dir.n, sizeof *c->utts);
  l->from = sn_calloc(c->dir.n, sizeof *l->from);
  if (c->utts == NULL || l->from == NULL) return sn_fail_nomem(err, "corpus");
  for (size_t i = 0; i < c->dir.n; i++)
    SN_TRY(add_utt(c, &c->dir.utts[i], l, err));
  if (c->n == 0)
    return sn_fail(err, SN_EMISMATCH,
                   "'%s': none of %zu utterances can be used: their words are "
                   "not in the lexicon or there are none",
                   data, c->dir.n);
  return SN_OK;
}

static sn_status name_phones(sni_corpus *c, const sn_train_opts *o,
                             sn_err *err) {
  const int32_t n = sn_symtab_n(c->lex.phones);
  if (sn_symtab_finds(c->lex.phones, o->silence_phone) >= 0)
    return sn_fail(err, SN_EARG,
                   "the lexicon has words with the phone %s, which is silence "
                   "here: take them out, or choose another --silence-phone",
                   o->silence_phone);
  c->n_phones = n + 1;
  c->phones = sn_calloc((size_t)n + 1, sizeof *c->phones);
  if (c->phones == NULL) return sn_fail_nomem(err, "phones");
  c->phones[0] = o->silence_phone;
  for (int32_t p = 0; p < n; p++)
    c->phones[p + 1] = sn_symtab_get(c->lex.phones, p);
  return SN_OK;
}

sn_status sni_corpus_load(const char *data, const char *lexicon,
                          const sn_train_opts *o, sn_pool *pool, sn_log *log,
                          sni_corpus *c, sn_err *err) {
  loader l = {.c = c, .log = log};
  memset(c, 0, sizeof *c);
  sn_status s = load_words(c, data, lexicon, &l, err);
  if (s == SN_OK) s = name_phones(c, o, err);
  if (s == SN_OK) s = load_feats(c, &l, pool, err);
  for (size_t i = 0; l.base != NULL && i < c->n; i++) sn_mat_free(&l.base[i]);
  sn_free(l.base);
  sn_free(l.from);
  sn_spk_cmvn_destroy(l.speakers);
  sn_feat_destroy(l.feat);
  if (s != SN_OK) sni_corpus_clear(c);
  return s;
}

void sni_corpus_clear(sni_corpus *c) {
  for (size_t i = 0; c->utts != NULL && i < c->n; i++) {
    sn_free(c->utts[i].words);
    sn_mat_free(&c->utts[i].feats);
    SN_ARR_FREE(&c->utts[i].segs);
  }
  sn_free(c->utts);
  sn_free(c->phones);
  sn_str_clear(&c->left_out);
  sn_feat_config_destroy(c->feat);
  sn_lexicon_clear(&c->lex);
  sn_datadir_clear(&c->dir);
  memset(c, 0, sizeof *c);
}
