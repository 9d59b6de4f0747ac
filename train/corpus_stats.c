/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of a corpus or of one speaker's part of it. */
#include <string.h>

#include "score/casefold.h"
#include "train/corpus_internal.h"

typedef struct counting {
  const sn_lexicon *lex;
  sn_symtab *types, *unknown, *speakers, *recs;
  sn_corpus_stats *out;
  sn_err *err;
} counting;

static sn_status add_text(counting *k, const char *text) {
  sn_span rest = sn_span_of(text), word;
  int32_t id = 0;
  while (sn_next_field(&rest, &word)) {
    k->out->n_words++;
    SN_TRY(sn_symtab_add(k->types, word.p, word.n, &id, k->err));
    if (k->lex != NULL && sn_symtab_find(k->lex->words, word.p, word.n) < 0) {
      k->out->n_oov++;
      SN_TRY(sn_symtab_add(k->unknown, word.p, word.n, &id, k->err));
    }
    while (word.n > 0) {
      (void)sn_utf8_next(&word);
      k->out->n_letters++;
    }
  }
  return SN_OK;
}

static sn_status add_utt(counting *k, const sn_corpus *c,
                         const sn_corpus_utt *u) {
  sn_corpus_stats *const o = k->out;
  int32_t id = 0;
  const double length = sn_corpus_length_s(c, u);
  if (length >= 0) {
    o->speech_s += length;
    if (o->longest_s < length) o->longest_s = length;
    if (o->shortest_s < 0 || o->shortest_s > length) o->shortest_s = length;
  }
  o->n_utts++;
  if (u->speaker != NULL)
    SN_TRY(sn_symtab_add(k->speakers, u->speaker, strlen(u->speaker), &id,
                         k->err));
  if (u->rec >= 0) {
    const sn_corpus_rec *const r = &c->recs.data[u->rec];
    SN_TRY(sn_symtab_add(k->recs, r->id, strlen(r->id), &id, k->err));
    if (r->rate_hz > o->max_rate_hz) o->max_rate_hz = r->rate_hz;
    if (r->rate_hz > 0 && (o->min_rate_hz == 0 || r->rate_hz < o->min_rate_hz))
      o->min_rate_hz = r->rate_hz;
  }
  return u->text != NULL ? add_text(k, u->text) : SN_OK;
}

static sn_status count_all(counting *k, const sn_corpus *c,
                           const char *speaker) {
  SN_TRY(sn_symtab_create(&k->types, k->err));
  SN_TRY(sn_symtab_create(&k->unknown, k->err));
  SN_TRY(sn_symtab_create(&k->speakers, k->err));
  SN_TRY(sn_symtab_create(&k->recs, k->err));
  for (size_t i = 0; i < c->utts.n; i++) {
    const sn_corpus_utt *const u = &c->utts.data[i];
    if (speaker != NULL &&
        (u->speaker == NULL || strcmp(u->speaker, speaker) != 0))
      continue;
    SN_TRY(add_utt(k, c, u));
  }
  k->out->n_types = sn_symtab_n(k->types);
  k->out->n_oov_types = sn_symtab_n(k->unknown);
  k->out->n_speakers = sn_symtab_n(k->speakers);
  k->out->n_recs = sn_symtab_n(k->recs);
  if (k->out->shortest_s < 0) k->out->shortest_s = 0;
  return SN_OK;
}

sn_status sn_corpus_count(const sn_corpus *c, const sn_lexicon *lex,
                          const char *speaker, sn_corpus_stats *out,
                          sn_err *err) {
  const sn_corpus_stats none = {.shortest_s = -1};
  *out = none;
  counting k = {.lex = lex, .out = out, .err = err};
  const sn_status s = count_all(&k, c, speaker);
  sn_symtab_destroy(k.types);
  sn_symtab_destroy(k.unknown);
  sn_symtab_destroy(k.speakers);
  sn_symtab_destroy(k.recs);
  return s;
}
