/* SPDX-License-Identifier: Apache-2.0 */
/* The lexicon in memory.
 *
 * Representation: one flat array of pronunciations and one of phone ids; an
 * en-us dictionary has 135 thousand of the former and 860 thousand of the
 * latter, so that it takes about 6 MB besides the words' own text. Grouping is
 * a counting sort over word ids: linear, stable, and the counts stay as the
 * index that sn_lexicon_prons reads.
 *
 * Invariant: 0 <= first, first + n_phones <= phone_ids.n for every
 * pronunciation; prons.n and phone_ids.n fit an int32_t. */
#include "lexicon/lexicon.h"

#include <string.h>

#include "base/mem.h"

sn_status sn_lexicon_init(sn_lexicon *lex, sn_err *err) {
  SN_ASSERT(lex != NULL);
  *lex = (sn_lexicon){0};
  sn_status s = sn_symtab_create(&lex->words, err);
  if (s == SN_OK) s = sn_symtab_create(&lex->phones, err);
  if (s != SN_OK) sn_lexicon_clear(lex);
  return s;
}

void sn_lexicon_clear(sn_lexicon *lex) {
  if (lex == NULL) return;
  sn_symtab_destroy(lex->words);
  sn_symtab_destroy(lex->phones);
  SN_ARR_FREE(&lex->prons);
  SN_ARR_FREE(&lex->phone_ids);
  SN_ARR_FREE(&lex->first_pron);
  *lex = (sn_lexicon){0};
}

sn_status sn_lexicon_add(sn_lexicon *lex, const char *word, float logp,
                         const char *const *phones, size_t n_phones,
                         sn_err *err) {
  SN_ASSERT(lex != NULL && lex->words != NULL && word != NULL);
  const size_t at = lex->phone_ids.n;
  if (n_phones > (size_t)INT32_MAX - at || lex->prons.n >= INT32_MAX)
    return sn_fail(err, SN_ELIMIT,
                   "lexicon: more than %d phones or pronunciations in all",
                   INT32_MAX);
  SN_TRY(SN_ARR_RESERVE(&lex->phone_ids, at + n_phones, err));
  SN_TRY(SN_ARR_RESERVE(&lex->prons, lex->prons.n + 1, err));
  sn_pron p = {
      .logp = logp, .first = (int32_t)at, .n_phones = (int32_t)n_phones};
  SN_TRY(sn_symtab_add(lex->words, word, strlen(word), &p.word, err));
  for (size_t i = 0; i < n_phones; i++)
    SN_TRY(sn_symtab_add(lex->phones, phones[i], strlen(phones[i]),
                         &lex->phone_ids.data[at + i], err));
  lex->phone_ids.n = at + n_phones;
  lex->prons.data[lex->prons.n++] = p;
  lex->first_pron.n = 0;
  return SN_OK;
}

sn_status sn_lexicon_group(sn_lexicon *lex, sn_err *err) {
  SN_ASSERT(lex != NULL && lex->words != NULL);
  const size_t n_words = (size_t)sn_symtab_n(lex->words);
  const size_t n = lex->prons.n;
  sn_pron *sorted = sn_calloc(n + 1, sizeof *sorted);
  if (sorted == NULL) return sn_fail_nomem(err, "lexicon");
  const sn_status s = SN_ARR_RESERVE(&lex->first_pron, n_words + 2, err);
  if (s != SN_OK) {
    sn_free(sorted);
    return s;
  }
  /* Counting sort: at[w + 2] counts, then at[w + 1] is the next place of w,
   * and when all are placed at[w] is w's first. */
  int32_t *const at = lex->first_pron.data;
  memset(at, 0, (n_words + 2) * sizeof *at);
  for (size_t i = 0; i < n; i++) at[lex->prons.data[i].word + 2]++;
  for (size_t w = 2; w < n_words + 2; w++) at[w] += at[w - 1];
  for (size_t i = 0; i < n; i++) {
    const sn_pron *const p = &lex->prons.data[i];
    sorted[at[p->word + 1]++] = *p;
  }
  for (size_t w = 0; w < n_words; w++)
    for (int32_t i = at[w]; i < at[w + 1]; i++)
      sorted[i].variant = i - at[w] + 1;
  lex->first_pron.n = n_words + 1;
  sn_free(lex->prons.data);
  lex->prons.data = sorted;
  lex->prons.cap = n + 1;
  return SN_OK;
}

int32_t sn_lexicon_prons(const sn_lexicon *lex, int32_t word, int32_t *first) {
  SN_ASSERT(word >= 0 && (size_t)word + 1 < lex->first_pron.n);
  *first = lex->first_pron.data[word];
  return lex->first_pron.data[word + 1] - *first;
}

const int32_t *sn_lexicon_phones(const sn_lexicon *lex, int32_t pron) {
  SN_ASSERT(pron >= 0 && (size_t)pron < lex->prons.n);
  return lex->phone_ids.data + lex->prons.data[pron].first;
}
