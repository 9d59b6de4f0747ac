/* SPDX-License-Identifier: Apache-2.0 */
/* lm/word_class.h - grammars and phrase lists that stand for words of an n-gram
 * model: the model's text has "$CITY" where a city was said, and a file says
 * which cities there are. */
#ifndef SN_LM_WORD_CLASS_H
#define SN_LM_WORD_CLASS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/str.h"
#include "lm/grammar.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_word_class {
  char *token; /* the model's word: "$CITY" */
  sn_grammar members;
  bool is_part; /* a member of another class has it: the model need not */
} sn_word_class;

/* Zeroed is empty and valid. */
typedef struct sn_word_classes {
  sn_word_class *list; /* [n] owned */
  size_t n;
} sn_word_classes;

#define SN_WORD_CLASS_MAX 256

/* The list "NAME=FILE,NAME=FILE" for sn_word_class_next; "" has none. */
sn_span sn_word_class_list(const char *spec);
/* Takes "NAME=FILE" off *rest; blanks around are left out. The name is without
 * the "$" that it may be written with. *more false: nothing was left. EARG: no
 * name, no file. */
SN_NODISCARD sn_status sn_word_class_next(sn_span *rest, sn_span *name,
                                          sn_span *path, bool *more,
                                          sn_err *err);
/* Loads all of "NAME=FILE,NAME=FILE"; a file as sn_grammar_load_members. A
 * member may have other classes of the list as words ("$CITY airport"): their
 * members are put in their place, P(phrase) times P(member of the class). EARG
 * for a name twice, for a class that contains itself (with the way) or
 * grows beyond 3 million arcs; EFORMAT and EIO with the file. */
SN_NODISCARD sn_status sn_word_classes_load(const char *spec,
                                            sn_word_classes *out, sn_err *err);
void sn_word_classes_clear(sn_word_classes *c);
#ifdef __cplusplus
}
#endif
#endif
