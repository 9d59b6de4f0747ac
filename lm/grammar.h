/* SPDX-License-Identifier: Apache-2.0 */
/* lm/grammar.h - grammars and phrase lists as weighted word automata. */
#ifndef SN_LM_GRAMMAR_H
#define SN_LM_GRAMMAR_H
#include <stdint.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_grammar_arc {
  int32_t from, to;
  int32_t word; /* id in `words`; -1: nothing is said */
  float logp;   /* natural log */
} sn_grammar_arc;

typedef struct sn_grammar {
  sn_symtab *words; /* owned */
  SN_ARR(sn_grammar_arc) arcs;
  int32_t n_states, start, final; /* one final state, at no cost */
  char *name;                     /* of the grammar; owned */
} sn_grammar;

/* JSGF: public and private rules, alternatives with /weights/, [optional],
 * (groups), * and +, {tags} (ignored), comments, recursion on the right.
 * Errors name file and line: unknown rule, left or inner recursion, no public
 * rule, syntax. rule NULL: all public rules as alternatives.
 * Source: W3C Note "JSpeech Grammar Format", June 2000. */
SN_NODISCARD sn_status sn_grammar_load_jsgf(const char *path, const char *rule,
                                            sn_grammar *out, sn_err *err);
SN_NODISCARD sn_status sn_grammar_parse_jsgf(const char *text, size_t n,
                                             const char *name, const char *rule,
                                             sn_grammar *out, sn_err *err);
/* One word or phrase a line, "#" comments; an utterance is any sequence of
 * them, each as likely. */
SN_NODISCARD sn_status sn_grammar_load_words(const char *path, sn_grammar *out,
                                             sn_err *err);
/* One word or phrase a line, of which one is said; "#" comments. Behind a TAB a
 * weight (1e-30 to 1e30), in all lines or in none: probabilities are its share,
 * or equal. Equal phrases count once; with weights they are refused. */
SN_NODISCARD sn_status sn_grammar_read_phrases(sn_reader *r, sn_grammar *out,
                                               sn_err *err);
/* JSGF, all public rules, where the file begins so ("#JSGF"), else phrases. */
SN_NODISCARD sn_status sn_grammar_load_members(const char *path,
                                               sn_grammar *out, sn_err *err);
void sn_grammar_clear(sn_grammar *g);
#ifdef __cplusplus
}
#endif
#endif
