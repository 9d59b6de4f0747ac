/* SPDX-License-Identifier: Apache-2.0 */
/* Names that say that a word stands for a class. */
#include "lm/class_token.h"

#include <stdbool.h>
#include <string.h>

#define SHOWN 5

static bool is_letter(unsigned char c) {
  return c >= 128 || c == '_' || (c >= 'A' && c <= 'Z') ||
         (c >= 'a' && c <= 'z');
}

sn_class_kind sn_class_token(const char *word) {
  static const char found[] = "<class-";
  if (word[0] == '$')
    return is_letter((unsigned char)word[1]) ? SN_CLASS_NAMED : SN_CLASS_NONE;
  if (strncmp(word, found, sizeof found - 1) != 0) return SN_CLASS_NONE;
  const char *const digits = word + sizeof found - 1;
  const size_t n = strspn(digits, "0123456789");
  return n > 0 && strcmp(digits + n, ">") == 0 ? SN_CLASS_FOUND : SN_CLASS_NONE;
}

sn_status sn_class_tokens(const sn_ngram *lm, sn_class_kind kind,
                          const sn_ngram *but, sn_str *names, int32_t *n,
                          sn_err *err) {
  *n = 0;
  for (int32_t w = 0; w < sn_ngram_n_words(lm); w++) {
    const char *const word = sn_ngram_word(lm, w);
    if (sn_class_token(word) != kind) continue;
    if (but != NULL && sn_ngram_find(but, word) >= 0) continue;
    if (*n < SHOWN)
      SN_TRY(sn_str_addf(names, err, "%s%s", *n > 0 ? ", " : "", word));
    ++*n;
  }
  return *n > SHOWN ? sn_str_adds(names, ", ...", err) : SN_OK;
}

sn_status sn_class_refuse_found(const sn_ngram *lm, const char *name,
                                sn_err *err) {
  for (int32_t w = 0; w < sn_ngram_n_words(lm); w++)
    if (sn_class_token(sn_ngram_word(lm, w)) == SN_CLASS_FOUND)
      return sn_fail(err, SN_EMISMATCH,
                     "%s is a model over classes of words: '%s' is no word; "
                     "make it one of words first, with senone lm expand "
                     "--classes=FILE",
                     name, sn_ngram_word(lm, w));
  return SN_OK;
}
