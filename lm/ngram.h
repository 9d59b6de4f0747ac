/* SPDX-License-Identifier: Apache-2.0 */
/* lm/ngram.h - back-off n-gram models of any order: in memory or mapped.
 *
 * One representation for all sources (ARPA, Sphinx binary, our own file): a
 * trie in flat arrays, one level per order. Word ids are dense; nodes of level
 * k (k = 1 unigrams) are numbered from 0; the children of a node are adjacent
 * and sorted by word. Probabilities and back-offs are kept in natural log.
 *
 * A history is a node (level, index): the longest suffix of the words so far,
 * of at most order - 1 words, that is a node. Suffixes of an n-gram may be
 * missing (pruned models), so a back-off may skip levels. */
#ifndef SN_LM_NGRAM_H
#define SN_LM_NGRAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_NGRAM_MAX_ORDER 16
#define SN_NGRAM_MAGIC "SNNGRAM" /* of the own binary, docs/lm.md */
#define SN_NGRAM_VERSION 1u

typedef struct sn_ngram sn_ngram; /* immutable once made: share it */

/* A history; copy it freely. level 0: the empty history. */
typedef struct sn_ngram_state {
  int32_t level; /* number of words it stands for, <= order - 1 */
  int64_t node;  /* index in that level; 0 for level 0 */
} sn_ngram_state;

/* By content: ARPA (also gz; "-" is standard input), Sphinx .lm.bin (trie),
 * own binary, which is verified (sn_ngram_verify). log may be NULL (progress,
 * and repairs that were made, each kind with its count). */
SN_NODISCARD sn_status sn_ngram_load(const char *path, sn_log *log,
                                     sn_ngram **out, sn_err *err);
/* The same without verifying: an own binary is mapped in milliseconds whatever
 * its size; header, section table and vocabulary are checked. On a file that
 * was altered after it was written, queries then may give wrong numbers, but
 * never read outside it, loop or crash. */
SN_NODISCARD sn_status sn_ngram_open(const char *path, sn_log *log,
                                     sn_ngram **out, sn_err *err);
/* Checks what sn_ngram_open left: the checksum of every section and the range
 * of every index and number. Nothing to do for models that were read or built
 * in memory. SN_EFORMAT names the section. Not from two threads at once. */
SN_NODISCARD sn_status sn_ngram_verify(const sn_ngram *lm, sn_err *err);
/* sn_ngram_load from memory, for tests and fuzz targets; data is borrowed for
 * the call only. */
SN_NODISCARD sn_status sn_ngram_load_memory(const void *data, size_t n,
                                            const char *name, sn_ngram **out,
                                            sn_err *err);
void sn_ngram_destroy(sn_ngram *lm);

typedef enum sn_ngram_format {
  SN_NGRAM_ARPA,   /* text; ".gz" in the path packs it */
  SN_NGRAM_BINARY, /* own, mapped when loaded */
  SN_NGRAM_FAST,   /* the same with a hash table over all n-grams: fastest */
  SN_NGRAM_SMALL   /* own, bit-packed and quantised: the smallest */
} sn_ngram_format;
/* Bits of each log p and back-off weight in SN_NGRAM_SMALL: the codes of up to
 * 2^bits values for each order, which are chosen to make the squared error
 * small. Words' own weights stay exact. A model that was read from such a file
 * has the values of the codes, and does not quite sum to one. */
#define SN_NGRAM_SMALL_BITS 8
#define SN_NGRAM_SMALL_BITS_MIN 2
#define SN_NGRAM_SMALL_BITS_MAX 16
/* A model opened from any format can be saved in any other. */
SN_NODISCARD sn_status sn_ngram_save(const sn_ngram *lm, const char *path,
                                     sn_ngram_format format, sn_log *log,
                                     sn_err *err);
/* SN_NGRAM_SMALL with a number of bits; SN_EARG out of the range above. */
SN_NODISCARD sn_status sn_ngram_save_small(const sn_ngram *lm, const char *path,
                                           int32_t bits, sn_log *log,
                                           sn_err *err);

int32_t sn_ngram_order(const sn_ngram *lm);
int64_t sn_ngram_count(const sn_ngram *lm, int32_t level); /* 1 .. order */
int32_t sn_ngram_n_words(const sn_ngram *lm);
const char *sn_ngram_word(const sn_ngram *lm, int32_t word);
int32_t sn_ngram_find(const sn_ngram *lm, const char *word); /* or -1 */
/* Ids of <s>, </s>, <unk> (any case of <unk>); -1 where the model has none. */
int32_t sn_ngram_bos(const sn_ngram *lm);
int32_t sn_ngram_eos(const sn_ngram *lm);
int32_t sn_ngram_unk(const sn_ngram *lm);

/* State after <s> (the empty history when there is no <s>). */
sn_ngram_state sn_ngram_begin(const sn_ngram *lm);

/* Natural-log probability of `word` after `from`; *to (may be NULL, may be the
 * same as &from's copy) becomes the next history; *matched (may be NULL) the
 * order of the n-gram that was found, 1 .. order. word must be an id; -1
 * stands for a word that is not in the model: <unk>'s probability where it has
 * one, else -infinity and the empty history. */
double sn_ngram_score(const sn_ngram *lm, sn_ngram_state from, int32_t word,
                      sn_ngram_state *to, int32_t *matched);

/* A word of a sentence to score, and what sn_ngram_score says of it. */
typedef struct sn_ngram_token {
  int32_t word;    /* [in] id or -1 */
  int32_t matched; /* [out] */
  double logp;     /* [out] natural log */
} sn_ngram_token;
/* sn_ngram_find of many words at a time: tokens[i].word for the word text +
 * at[i], i < n; each word ends in NUL. */
void sn_ngram_find_batch(const sn_ngram *lm, const char *text, const size_t *at,
                         size_t n, sn_ngram_token *tokens);
/* Scores the n_sentences sentences tokens[starts[i]] .. tokens[starts[i + 1] -
 * 1], each from sn_ngram_begin. The same numbers, bit for bit, as word by
 * word, but several sentences go on while others wait for memory: the fast way
 * to score a text. */
void sn_ngram_score_batch(const sn_ngram *lm, sn_ngram_token *tokens,
                          const size_t *starts, /* [n_sentences + 1] */
                          size_t n_sentences);

/* Sum of the probabilities of all words but <s> after h: 1 in a proper model.
 * Scores every word. */
double sn_ngram_sum(const sn_ngram *lm, sn_ngram_state h);

/* ---- Structure, for those who build graphs or prune ---- */
/* Explicit successors of a history, ascending by word. level < order. The
 * child k has index *first + k at level + 1. */
int64_t sn_ngram_children(const sn_ngram *lm, sn_ngram_state h, int64_t *first);
int32_t sn_ngram_child_word(const sn_ngram *lm, int32_t level, int64_t node);
/* Natural-log probability and back-off of an n-gram (a node at level >= 1);
 * back-off is 0 at the highest level. */
double sn_ngram_node_logp(const sn_ngram *lm, int32_t level, int64_t node);
double sn_ngram_node_backoff(const sn_ngram *lm, int32_t level, int64_t node);
/* The history that one back-off step leads to: the longest proper suffix of
 * h's words that is a node (of level < order). */
sn_ngram_state sn_ngram_backoff_state(const sn_ngram *lm, sn_ngram_state h);
/* The history that remains after the n-gram (level, node): itself where level
 * < order, else its longest suffix that is a node. */
sn_ngram_state sn_ngram_next_state(const sn_ngram *lm, int32_t level,
                                   int64_t node);

/* Entropy pruning: leaves out each n-gram (order 2 and up) without which the
 * perplexity, by the model's own distribution, grows by a factor of less than
 * 1 + threshold; for example 1e-8. n-grams that begin a kept one stay. Back-off
 * weights are computed anew, so that the result sums to one for each history
 * even where lm does not (quantised or rounded models; their unigrams are
 * scaled too). The highest orders may become empty and go.
 * Errors: EARG for a threshold below 0, ENOMEM, ECANCEL.
 * STOLCKE: Stolcke 1998, "Entropy-based pruning of backoff language models":
 * histories occur as often as the product of their words' probabilities says,
 * what stays keeps its probability. REFIT: for Kneser-Ney models: histories and
 * words occur as in text that the model itself produces, and what stays gets
 * the probabilities that make the result nearest to lm (lm/prune.c,
 * lm/prune_refit.c); where lm is a whole Kneser-Ney model, to lm with what is
 * rare corrected by Good-Turing (lm/prune_resmooth.c), also at threshold 0. */
typedef enum sn_prune_method {
  SN_PRUNE_REFIT,
  SN_PRUNE_STOLCKE
} sn_prune_method;
SN_NODISCARD sn_status sn_ngram_prune(const sn_ngram *lm, double threshold,
                                      sn_prune_method method, sn_log *log,
                                      sn_ngram **out, sn_err *err);
/* Prunes to exactly n_ngrams over all orders (all, if lm has no more), the
 * n-grams that cost least going first. *threshold (may be NULL) is the one
 * that sn_ngram_prune would need, infinity when only words are left. EARG when
 * n_ngrams is less than the number of words, which all stay. */
SN_NODISCARD sn_status sn_ngram_prune_to(const sn_ngram *lm, int64_t n_ngrams,
                                         sn_prune_method method, sn_log *log,
                                         double *threshold, sn_ngram **out,
                                         sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
