/* SPDX-License-Identifier: Apache-2.0 */
/* lexicon/check.h - which words could never be recognised, and why.
 *
 * The symbol lists are handed in: where they come from (a language model, an
 * acoustic model, files) is no business of this folder. */
#ifndef SN_LEXICON_CHECK_H
#define SN_LEXICON_CHECK_H
#include <stdint.h>

#include "base/status.h"
#include "lexicon/lexicon.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_lex_problem {
  SN_LEX_NO_PRON,  /* wanted, but the lexicon has no such word */
  SN_LEX_NO_PHONE, /* every pronunciation has a phone that is not in the set */
  SN_LEX_NOT_WANTED, /* in the lexicon, but not among the wanted words */
  SN_LEX_LOST_PRON,  /* one pronunciation has such a phone, others have not:
                        the word can be recognised, that way of saying it
                        can not */
  SN_N_LEX_PROBLEMS
} sn_lex_problem;
/* "no-pronunciation", "no-phone", "not-in-lm", "lost-pronunciation". */
const char *sn_lex_problem_name(sn_lex_problem p);

typedef sn_status sn_lex_problem_fn(void *user, sn_lex_problem problem,
                                    const char *word, const char *detail,
                                    sn_err *err);

typedef struct sn_lex_check_counts {
  int64_t n[SN_N_LEX_PROBLEMS]; /* calls of the function, by problem */
  int64_t n_words, n_wanted;    /* looked at */
} sn_lex_check_counts;

/* Compares a grouped lexicon with what it will work with.
 * phones  [in] the acoustic model's phones; NULL: not compared
 * wanted  [in] the vocabulary of the language model without <s>, </s>, <unk>;
 *              NULL: not compared
 * fn      called once per word (once per pronunciation for LOST_PRON): first
 *         for the lexicon's words in its order, then for wanted words that it
 *         does not have, in theirs. detail is one line of text, or "".
 * Errors: SN_ENOMEM; what fn returns. */
SN_NODISCARD sn_status sn_lexicon_check(const sn_lexicon *lex,
                                        const sn_symtab *phones,
                                        const sn_symtab *wanted,
                                        sn_lex_problem_fn *fn, void *user,
                                        sn_lex_check_counts *counts,
                                        sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
