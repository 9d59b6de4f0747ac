/* SPDX-License-Identifier: Apache-2.0 */
/* Probabilities of pronunciations and of silence between words, from the
 * alignment: with c(p) how often p was said and q(p) what the lexicon gave it,
 *
 *   r(p) = c(p) + q(p),   P(p) = r(p) / max of r over the word's
 *
 * so that one pronunciation of each word costs nothing, one that was never said
 * keeps a share, and a word that was never said keeps what it had.
 *   P(silence) = (silences + 1) / (places between two words + 2).
 * Source: Chen et al. 2015, "Pronunciation and silence probability modeling for
 * ASR", section 2.1 (smoothed by one count, normalised by the largest). Their
 * silence depends on the words at each side, ours does not. */
#include <math.h>

#include "base/mem.h"
#include "lexicon/formats.h"
#include "train/train_internal.h"

sni_silence sni_count_silence(const sni_corpus *c) {
  sni_silence s = {0};
  for (size_t i = 0; i < c->n; i++) {
    const sni_utt *const u = &c->utts[i];
    bool silent = false;
    int32_t last = -1;
    for (size_t k = 0; !u->failed && k < u->segs.n; k++) {
      const int32_t w = u->segs.data[k].word;
      if (w < 0) {
        silent = true;
        continue;
      }
      if (last >= 0 && w != last) {
        s.n_places++;
        s.n_silent += silent;
      }
      last = w;
      silent = false;
    }
  }
  s.probability = ((double)s.n_silent + 1) / ((double)s.n_places + 2);
  return s;
}

/* Words said, by pronunciation. */
static void count(const sni_corpus *c, double *n) {
  for (size_t i = 0; i < c->n; i++) {
    const sni_utt *const u = &c->utts[i];
    int32_t last = -1;
    for (size_t k = 0; !u->failed && k < u->segs.n; k++) {
      const sni_seg *const g = &u->segs.data[k];
      if (g->word >= 0 && g->word != last && g->pron >= 0) n[g->pron] += 1;
      if (g->word >= 0) last = g->word;
    }
  }
}

static sn_status add_word(const sn_lexicon *lex, int32_t word, const double *n,
                          sn_lexicon *out, sn_err *err) {
  int32_t first = 0;
  const int32_t n_prons = sn_lexicon_prons(lex, word, &first);
  double most = 0;
  for (int32_t p = first; p < first + n_prons; p++)
    most = fmax(most, n[p] + exp((double)lex->prons.data[p].logp));
  for (int32_t p = first; p < first + n_prons; p++) {
    const int32_t *const ids = sn_lexicon_phones(lex, p);
    const size_t N = (size_t)lex->prons.data[p].n_phones;
    const double r = n[p] + exp((double)lex->prons.data[p].logp);
    const char **const names = sn_calloc(N, sizeof *names);
    if (names == NULL) return sn_fail_nomem(err, "lexicon");
    for (size_t k = 0; k < N; k++)
      names[k] = sn_symtab_get(lex->phones, ids[k]);
    const sn_status s = sn_lexicon_add(out, sn_symtab_get(lex->words, word),
                                       (float)log(r / most), names, N, err);
    sn_free(names);
    SN_TRY(s);
  }
  return SN_OK;
}

sn_status sni_pron_probs(const sni_corpus *c, sn_lexicon *out, sn_err *err) {
  const sn_lexicon *const lex = &c->lex;
  SN_TRY(sn_lexicon_init(out, err));
  double *const n = sn_calloc(lex->prons.n, sizeof *n);
  sn_status s = n == NULL ? sn_fail_nomem(err, "lexicon") : SN_OK;
  if (s == SN_OK) count(c, n);
  for (int32_t w = 0; s == SN_OK && w < sn_symtab_n(lex->words); w++)
    s = add_word(lex, w, n, out, err);
  if (s == SN_OK) s = sn_lexicon_group(out, err);
  sn_free(n);
  if (s != SN_OK) sn_lexicon_clear(out);
  return s;
}

sn_status sni_pron_probs_write(const sni_trainer *t, const char *exp,
                               sn_err *err) {
  char *path = NULL;
  sn_lexicon lex = {0};
  sn_status s = sni_stage_path(exp, t->stage, "lexiconp.txt", &path, err);
  if (s == SN_OK) s = sni_pron_probs(t->corpus, &lex, err);
  if (s == SN_OK)
    s = sn_lexicon_write_text(&lex, path, SN_LEX_KALDI_PROB, t->log, err);
  sn_lexicon_clear(&lex);
  sn_free(path);
  return s;
}
