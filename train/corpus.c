/* SPDX-License-Identifier: Apache-2.0 */
/* The corpus in memory: utterances, words as ids, phones; features are
 * corpus_feats.c's. */
#include <string.h>

#include "base/mem.h"
#include "score/report.h"
#include "train/train_internal.h"

/* ---- Words ---- */

static sn_status leave_out(sni_corpus *c, const sn_utt *u, const char *why,
                           sn_span word, sn_log *log, sn_err *err) {
  c->n_left_out++;
  sn_warn(log, "%s is left out: %s%.*s", u->id, why, (int)word.n, word.p);
  if (c->left_out.n > 0) SN_TRY(sn_str_adds(&c->left_out, ", ", err));
  return sn_report_json_string(u->id, &c->left_out, err);
}

static sn_status add_utt(sni_corpus *c, const sn_utt *from, sn_log *log,
                         sn_err *err) {
  sni_utt *const u = &c->utts[c->n];
  sn_span rest = sn_span_of(from->text != NULL ? from->text : ""), word;
  size_t n = 0;
  while (sn_next_field(&rest, &word)) n++;
  const sn_span none = {"", 0};
  if (n == 0)
    return leave_out(c, from, "there are no words for it", none, log, err);
  u->words = sn_calloc(n, sizeof *u->words);
  if (u->words == NULL) return sn_fail_nomem(err, "transcripts");
  rest = sn_span_of(from->text);
  while (sn_next_field(&rest, &word)) {
    const int32_t id = sn_symtab_find(c->lex.words, word.p, word.n);
    if (id < 0) {
      sn_free(u->words);
      *u = (sni_utt){0};
      return leave_out(c, from, "not in the lexicon: ", word, log, err);
    }
    u->words[u->n_words++] = id;
  }
  u->from = from;
  u->id = from->id;
  u->speaker = from->speaker != NULL ? from->speaker : from->id;
  c->n++;
  return SN_OK;
}

static sn_status load_words(sni_corpus *c, const char *data,
                            const char *lexicon, sn_log *log, sn_err *err) {
  SN_TRY(sn_datadir_load(data, log, &c->dir, err));
  SN_TRY(sn_lexicon_load(lexicon, log, &c->lex, err));
  c->utts = sn_calloc(c->dir.n, sizeof *c->utts);
  if (c->utts == NULL) return sn_fail_nomem(err, "corpus");
  for (size_t i = 0; i < c->dir.n; i++)
    SN_TRY(add_utt(c, &c->dir.utts[i], log, err));
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

sn_status sni_corpus_load_words(const char *data, const char *lexicon,
                                const sn_train_opts *o, sn_log *log,
                                sni_corpus *c, sn_err *err) {
  memset(c, 0, sizeof *c);
  sn_status s = load_words(c, data, lexicon, log, err);
  if (s == SN_OK) s = name_phones(c, o, err);
  if (s == SN_OK) s = sni_corpus_perturb(c, o->speed, err);
  if (s != SN_OK) sni_corpus_clear(c);
  return s;
}

sn_status sni_corpus_load(const char *data, const char *lexicon,
                          const sn_train_opts *o, sn_pool *pool, sn_log *log,
                          sni_corpus *c, sn_err *err) {
  SN_TRY(sni_corpus_load_words(data, lexicon, o, log, c, err));
  const sn_status s = sni_corpus_feats(c, o->sample_rate, pool, log, err);
  if (s != SN_OK) sni_corpus_clear(c);
  return s;
}

sn_status sni_corpus_only(sni_corpus *c, size_t first, size_t end,
                          sn_err *err) {
  sn_symtab *speakers = NULL;
  SN_TRY(sn_symtab_create(&speakers, err));
  sn_status s = SN_OK;
  for (size_t i = first; s == SN_OK && i < end && i < c->n; i++) {
    const char *const name = c->utts[i].speaker;
    int32_t id = 0;
    s = sn_symtab_add(speakers, name, strlen(name), &id, err);
  }
  for (size_t i = 0; s == SN_OK && i < c->n; i++)
    c->utts[i].idle = sn_symtab_finds(speakers, c->utts[i].speaker) < 0;
  sn_symtab_destroy(speakers);
  return s;
}

void sni_corpus_clear(sni_corpus *c) {
  for (size_t i = 0; c->utts != NULL && i < c->n; i++) {
    sn_free(c->utts[i].words);
    sn_mat_free(&c->utts[i].base);
    sn_mat_free(&c->utts[i].feats);
    SN_ARR_FREE(&c->utts[i].segs);
  }
  sn_free(c->utts);
  sn_free(c->phones);
  sn_str_clear(&c->left_out);
  sn_arena_clear(&c->names);
  sn_feat_config_destroy(c->feat);
  sn_mat_free(&c->transform);
  sn_lexicon_clear(&c->lex);
  sn_datadir_clear(&c->dir);
  memset(c, 0, sizeof *c);
}
