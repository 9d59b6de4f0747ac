/* SPDX-License-Identifier: Apache-2.0 */
/* lm/classes.h - classes of words: their file, how they are found, and n-gram
 * models over them (Brown et al. 1992, "Class-based n-gram models of natural
 * language"):
 *
 *   p(w | h) = P(w | class of w) * P(class of w | classes of h)
 *
 * The second factor is an n-gram model whose words are the names of classes and
 * the words that are in none. A word is in one class at most. */
#ifndef SN_LM_CLASSES_H
#define SN_LM_CLASSES_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "base/str.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Zeroed is empty and valid. */
typedef struct sn_classes {
  sn_symtab *words, *names; /* members; classes; owned */
  sn_arr_i32 class_of;      /* [words] */
  SN_ARR(double) prob;      /* [words] P(word | class); sums to one */
  SN_ARR(int64_t) count;    /* [words] occurrences, by who counts them */
  bool has_probs;           /* false: the file had none; they are equal */
} sn_classes;

/* A line a word: word TAB class [TAB probability]; probabilities in all lines
 * or in none. Also gzip, zstd; "-" is standard input. EFORMAT with file and
 * line: fields, a word twice, <s>, </s> or <unk>, probabilities out of 0 .. 1;
 * without a line: a class whose probabilities do not sum to one within 1e-3
 * (nearer ones are scaled). */
SN_NODISCARD sn_status sn_classes_load(const char *path, sn_classes *out,
                                       sn_err *err);
SN_NODISCARD sn_status sn_classes_read(sn_reader *r, sn_classes *out,
                                       sn_err *err);
SN_NODISCARD sn_status sn_classes_save(const sn_classes *c, const char *path,
                                       sn_err *err);
void sn_classes_clear(sn_classes *c);
/* Sets `prob` from `count`: relative frequencies; (n + 0.5) / (N + 0.5 M) in a
 * class of M words some of which do not occur. */
void sn_classes_estimate(sn_classes *c);

typedef struct sn_cluster_opts {
  int32_t n_classes, max_iterations;
} sn_cluster_opts;
extern const sn_opt sn_cluster_opt_table[];

typedef struct sn_cluster_report {
  int32_t n_words, n_classes, n_iterations;
  int64_t n_moves;
  double before, after; /* perplexity of the class bigram on the text itself */
} sn_cluster_report;

struct sn_counts;
/* Finds the classes under which the text is likeliest by class bigrams, by the
 * exchange algorithm: the most frequent words begin with a class each, the
 * others share the last one; word by word, most frequent first, each goes to
 * the class that makes the text likeliest, until none moves or after
 * max_iterations. A local optimum; the same input gives the same classes.
 * counts: of order 2; used up. <unk> and sentence ends are in no class. Time:
 * words * classes * (classes before and after a word) an iteration.
 * Source: Kneser & Ney 1993, "Improved clustering techniques for class-based
 * statistical language modelling"; Martin, Liermann & Ney 1998, "Algorithms for
 * bigram and trigram word clustering", section 3. EARG, ECANCEL, ENOMEM. */
SN_NODISCARD sn_status sn_classes_cluster(struct sn_counts *counts,
                                          const sn_cluster_opts *opts,
                                          sn_log *log, sn_classes *out,
                                          sn_cluster_report *report,
                                          sn_err *err);

/* A model over words of a model over classes: for each n-gram of classes those
 * of their words that cost at least `threshold` when they are left out, and
 * what these begin with, all with the class model's probability; back-off
 * weights are computed so that each history sums to one. The cost is the
 * n-gram's probability in a text, times the |log ratio| of its probability and
 * that of backing off: nearly the relative entropy (Stolcke 1998). 0: all of
 * them, with the class model's back-off weights: the class model exactly. A
 * class that the model lacks is left out, counted in a warning.
 * EMISMATCH when a word of a class is also one of the model, or it has none of
 * the classes; ELIMIT, ECANCEL,
 * ENOMEM. */
SN_NODISCARD sn_status sn_classes_expand(const sn_classes *c,
                                         const sn_ngram *lm, double threshold,
                                         sn_log *log, sn_ngram **out,
                                         sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
