/* SPDX-License-Identifier: Apache-2.0 */
/* The check of a lexicon against phones and vocabulary.
 *
 * Words that differ in case only are the usual cause of a word that is not
 * found, so the lexicon's words are folded (ASCII) into a table of their own
 * when the first one is missing. */
#include "lexicon/check.h"

#include <string.h>

#include "base/mem.h"
#include "lexicon/nearest.h"

enum { MAX_PHONE_EDITS = 1 };

const char *sn_lex_problem_name(sn_lex_problem p) {
  static const char *const names[] = {"no-pronunciation", "no-phone",
                                      "not-in-lm", "lost-pronunciation"};
  SN_ASSERT((size_t)p < sizeof names / sizeof names[0]);
  return names[p];
}

typedef struct checking {
  const sn_lexicon *lex;
  const sn_symtab *phones, *wanted;
  sn_lex_problem_fn *fn;
  void *user;
  sn_lex_check_counts n;
  int32_t *phone_of;   /* [lexicon's phones] whether the set has it: 1, 0 */
  sn_symtab *folded;   /* lexicon's words in lower case */
  sn_arr_i32 unfolded; /* [folded] the first word that folds so */
  sn_str detail;
} checking;

static sn_status report(checking *c, sn_lex_problem p, const char *word,
                        sn_err *err) {
  c->n.n[p]++;
  return c->fn(c->user, p, word, sn_str_get(&c->detail), err);
}

/* Index of the first phone of a pronunciation that the set lacks, or -1. */
static int32_t missing_phone(const checking *c, int32_t pron) {
  if (c->phones == NULL) return -1;
  const int32_t *const ids = sn_lexicon_phones(c->lex, pron);
  for (int32_t i = 0; i < c->lex->prons.data[pron].n_phones; i++)
    if (!c->phone_of[ids[i]]) return i;
  return -1;
}

static sn_status describe_phone(checking *c, int32_t pron, int32_t at,
                                sn_err *err) {
  const int32_t *const ids = sn_lexicon_phones(c->lex, pron);
  const char *const phone = sn_symtab_get(c->lex->phones, ids[at]);
  SN_TRY(sn_str_addf(&c->detail, err, "no phone '%s' for '", phone));
  for (int32_t i = 0; i < c->lex->prons.data[pron].n_phones; i++)
    SN_TRY(sn_str_addf(&c->detail, err, "%s%s", i > 0 ? " " : "",
                       sn_symtab_get(c->lex->phones, ids[i])));
  SN_TRY(sn_str_adds(&c->detail, "'", err));
  sn_nearest near;
  sn_nearest_init(&near, phone, MAX_PHONE_EDITS);
  for (int32_t i = 0; i < sn_symtab_n(c->phones); i++)
    sn_nearest_offer(&near, sn_symtab_get(c->phones, i));
  return sn_nearest_say(&near, &c->detail, err);
}

static sn_status check_word(checking *c, int32_t w, sn_err *err) {
  const char *const word = sn_symtab_get(c->lex->words, w);
  int32_t first, n_lost = 0;
  const int32_t n = sn_lexicon_prons(c->lex, w, &first);
  for (int32_t i = 0; i < n; i++) n_lost += missing_phone(c, first + i) >= 0;
  sn_str_reset(&c->detail);
  if (n == 0) return report(c, SN_LEX_NO_PRON, word, err);
  if (n_lost == n) {
    SN_TRY(describe_phone(c, first, missing_phone(c, first), err));
    return report(c, SN_LEX_NO_PHONE, word, err);
  }
  for (int32_t i = 0; n_lost > 0 && i < n; i++) {
    const int32_t at = missing_phone(c, first + i);
    if (at < 0) continue;
    sn_str_reset(&c->detail);
    SN_TRY(describe_phone(c, first + i, at, err));
    SN_TRY(report(c, SN_LEX_LOST_PRON, word, err));
  }
  sn_str_reset(&c->detail);
  if (c->wanted == NULL || sn_symtab_finds(c->wanted, word) >= 0) return SN_OK;
  return report(c, SN_LEX_NOT_WANTED, word, err);
}

static sn_status fold(const char *word, sn_str *out, sn_err *err) {
  sn_str_reset(out);
  SN_TRY(sn_str_adds(out, word, err));
  for (size_t i = 0; i < out->n; i++)
    if (out->data[i] >= 'A' && out->data[i] <= 'Z')
      out->data[i] = (char)(out->data[i] - 'A' + 'a');
  return SN_OK;
}

static sn_status make_folded(checking *c, sn_err *err) {
  sn_str f = {0};
  sn_status s = sn_symtab_create(&c->folded, err);
  for (int32_t w = 0; s == SN_OK && w < sn_symtab_n(c->lex->words); w++) {
    int32_t id;
    s = fold(sn_symtab_get(c->lex->words, w), &f, err);
    if (s == SN_OK) s = sn_symtab_add(c->folded, sn_str_get(&f), f.n, &id, err);
    if (s == SN_OK && (size_t)id == c->unfolded.n)
      s = SN_ARR_PUSH(&c->unfolded, w, err);
  }
  sn_str_clear(&f);
  return s;
}

static sn_status check_wanted(checking *c, const char *word, sn_err *err) {
  if (sn_symtab_finds(c->lex->words, word) >= 0) return SN_OK;
  if (c->folded == NULL) SN_TRY(make_folded(c, err));
  sn_str f = {0};
  sn_status s = fold(word, &f, err);
  const int32_t id =
      s == SN_OK ? sn_symtab_find(c->folded, sn_str_get(&f), f.n) : -1;
  sn_str_clear(&f);
  if (s != SN_OK) return s;
  sn_str_reset(&c->detail);
  if (id >= 0)
    SN_TRY(sn_str_addf(&c->detail, err, "the lexicon has '%s'",
                       sn_symtab_get(c->lex->words, c->unfolded.data[id])));
  return report(c, SN_LEX_NO_PRON, word, err);
}

static sn_status check_all(checking *c, sn_err *err) {
  const int32_t n_phones = sn_symtab_n(c->lex->phones);
  c->phone_of = sn_calloc((size_t)n_phones + 1, sizeof *c->phone_of);
  if (c->phone_of == NULL) return sn_fail_nomem(err, "lexicon check");
  for (int32_t i = 0; c->phones != NULL && i < n_phones; i++)
    c->phone_of[i] =
        sn_symtab_finds(c->phones, sn_symtab_get(c->lex->phones, i)) >= 0;
  c->n.n_words = sn_symtab_n(c->lex->words);
  for (int32_t w = 0; w < c->n.n_words; w++) SN_TRY(check_word(c, w, err));
  if (c->wanted == NULL) return SN_OK;
  c->n.n_wanted = sn_symtab_n(c->wanted);
  for (int32_t w = 0; w < c->n.n_wanted; w++)
    SN_TRY(check_wanted(c, sn_symtab_get(c->wanted, w), err));
  return SN_OK;
}

sn_status sn_lexicon_check(const sn_lexicon *lex, const sn_symtab *phones,
                           const sn_symtab *wanted, sn_lex_problem_fn *fn,
                           void *user, sn_lex_check_counts *counts,
                           sn_err *err) {
  SN_ASSERT(lex != NULL && fn != NULL && counts != NULL);
  checking c = {
      .lex = lex, .phones = phones, .wanted = wanted, .fn = fn, .user = user};
  const sn_status s = check_all(&c, err);
  *counts = c.n;
  sn_free(c.phone_of);
  sn_symtab_destroy(c.folded);
  SN_ARR_FREE(&c.unfolded);
  sn_str_clear(&c.detail);
  return s;
}
