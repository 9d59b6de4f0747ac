/* SPDX-License-Identifier: Apache-2.0 */
/* lm/class_token.h - words of an n-gram model that stand for classes of words:
 * "$CITY" (named) and "<class-7>" (found by lm/class_exchange.c). A model does
 * not say which of its words are classes; these names do. */
#ifndef SN_LM_CLASS_TOKEN_H
#define SN_LM_CLASS_TOKEN_H
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_class_kind {
  SN_CLASS_NONE,
  SN_CLASS_NAMED, /* "$" and a letter: not "$5" */
  SN_CLASS_FOUND  /* "<class-" digits ">" */
} sn_class_kind;
sn_class_kind sn_class_token(const char *word);

/* Number of lm's words of a kind that are not in `but` (may be NULL); their
 * names, the first five with ", " between them, are added to *names. ENOMEM. */
SN_NODISCARD sn_status sn_class_tokens(const sn_ngram *lm, sn_class_kind kind,
                                       const sn_ngram *but, sn_str *names,
                                       int32_t *n, sn_err *err);
/* EMISMATCH for a model over found classes, for what wants words: says that
 * `name` is one, and what to do. */
SN_NODISCARD sn_status sn_class_refuse_found(const sn_ngram *lm,
                                             const char *name, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
