/* SPDX-License-Identifier: Apache-2.0 */
/* lm/ngram_internal.h - the trie behind sn_ngram, and how readers fill it. */
#ifndef SN_LM_NGRAM_INTERNAL_H
#define SN_LM_NGRAM_INTERNAL_H
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/log.h"
#include "base/status.h"
#include "base/str.h"
#include "lm/ngram.h"

/* Natural log of 10, and what ARPA files write for "never". */
#define SNI_LN10 2.302585092994045684
#define SNI_ARPA_ZERO_LOG10P (-99.0)

/* All nodes of one order. Node i's children are first[i] .. first[i + 1] of
 * the next level, ascending by word. `suffix` holds a link: see sn_ngram. */
typedef struct sni_level {
  int64_t n;
  const int32_t *word;    /* [n]; NULL at level 1, where node == word id */
  const float *logp;      /* [n] natural log */
  const float *backoff;   /* [n] natural log; NULL at the highest level */
  const uint32_t *first;  /* [n + 1]; NULL at the highest level */
  const uint32_t *suffix; /* [n]; NULL at level 1 */
} sni_level;

/* Words as one text of NUL-terminated strings, and a hash table over them
 * (open addressing, linear probing, slots hold id + 1, 0 is free). */
typedef struct sni_vocab {
  const char *text; /* ends in NUL */
  size_t n_text_bytes;
  const uint32_t *at; /* [n_words] offset of each word in text */
  int32_t n_words;
  const uint32_t *slot; /* [mask + 1] */
  uint32_t mask;
} sni_vocab;

/* A slot of the fast binary's table (lm_fast.c): the n-gram that `word` makes
 * behind the history with that link. from == 0: free. */
typedef struct sni_fast_slot {
  uint32_t from, word;
  float logp;
  uint32_t next; /* link of the history behind it */
} sni_fast_slot;
typedef struct sni_fast_history {
  float backoff;
  uint32_t suffix; /* link of the next shorter history */
  uint64_t words;  /* a bit for each explicit successor*/
} sni_fast_history;

/* A link names a node of any level by one number: 0 is the empty history,
 * base[k] + i node i of level k. A node's suffix link is always below the base
 * of its own level, which sni_link_state enforces on damaged files too, so
 * that every walk along links ends. */
struct sn_ngram {
  int32_t order;
  sni_level level[SN_NGRAM_MAX_ORDER + 1]; /* [0] is not used */
  uint32_t base[SN_NGRAM_MAX_ORDER + 2];   /* base[order + 1]: end */
  sni_vocab vocab;
  /* Fast binary: [n_fast] and [base[order]]; else NULL. */
  const sni_fast_slot *fast;
  const sni_fast_history *history;
  uint32_t n_fast;
  /* Small binary: the levels' arrays are here (level[k].n is set; level[1] has
   * logp and backoff), else NULL. Who walks the arrays of level[] takes
   * sni_ngram_plain first. */
  struct sni_small *small;
  int32_t bos, eos, unk;
  char *name;                        /* where it came from, for messages */
  void *own[8 * SN_NGRAM_MAX_ORDER]; /* heap blocks behind the arrays */
  size_t n_own;
  sn_box *box;      /* the mapped file, or NULL */
  void *box_memory; /* sn_free_aligned; behind a box over memory */
};

/* 32-bit FNV-1a with a final mix; part of the binary format (docs/lm.md). */
uint32_t sni_word_hash(const char *s, size_t n);
int32_t sni_vocab_find(const sni_vocab *v, const char *s, size_t n);

/* Child of h (level < order) with that word: its index in the next level, or
 * -1. */
int64_t sni_child(const sn_ngram *lm, sn_ngram_state h, int32_t word);
/* The n-gram words[0 .. n): its index in level n, or -1. */
int64_t sni_find(const sn_ngram *lm, const int32_t *words, int32_t n);
/* What `link`, found on a node of `level`, stands for. */
sn_ngram_state sni_link_state(const sn_ngram *lm, int32_t level, uint32_t link);
/* log p(words[n - 1] | words[0 .. n - 1)) by the definition of back-off, over
 * levels 1 .. max_level and without suffix links. */
double sni_eval(const sn_ngram *lm, const int32_t *words, int32_t n,
                int32_t max_level);
/* Fills bos, eos, unk and base from vocabulary and levels. */
void sni_ngram_finish(sn_ngram *lm);

/* Walks the nodes of one level in order and tells their words. */
typedef struct sni_walk {
  const sn_ngram *lm;
  int32_t level;
  int64_t at[SN_NGRAM_MAX_ORDER + 1]; /* [1 .. level] node of each prefix */
  int32_t words[SN_NGRAM_MAX_ORDER];  /* of the node at[level] */
} sni_walk;
void sni_walk_init(sni_walk *w, const sn_ngram *lm, int32_t level);
/* Node i of the level, i ascending from call to call. */
void sni_walk_to(sni_walk *w, int64_t i);

/* A copy with all arrays in memory, of a small binary; *out is NULL where lm
 * has them already: then use lm. */
SN_NODISCARD sn_status sni_ngram_plain(const sn_ngram *lm, sn_ngram **out,
                                       sn_err *err);

/* ---- Building, level by level ---- */

/* An n-gram whose prefix is not in the level below. */
typedef struct sni_orphan {
  int32_t level;
  size_t at; /* of its words in orphan_words */
  float logp, backoff;
} sni_orphan;

typedef struct sni_builder {
  sn_ngram *lm; /* levels below `level` are complete */
  int32_t order, level;
  /* vocabulary */
  sn_str text;
  SN_ARR(uint32_t) at;
  SN_ARR(uint32_t) slot;
  /* n-grams of the level that is being filled, in order of addition */
  SN_ARR(uint32_t) parent;
  sn_arr_i32 word;
  sn_arr_f32 logp, backoff;
  int32_t last_words[SN_NGRAM_MAX_ORDER]; /* prefix that was looked up last */
  int64_t last_parent;
  SN_ARR(sni_orphan) orphans;
  sn_arr_i32 orphan_words;
  int64_t n_duplicate_at; /* see sni_builder_end_level */
  int64_t n_inserted;     /* prefixes that had to be added */
} sni_builder;

/* Zeroed before; clear in any case afterwards. order in 1 ..
 * SN_NGRAM_MAX_ORDER. */
SN_NODISCARD sn_status sni_builder_init(sni_builder *b, const char *name,
                                        int32_t order, sn_err *err);
void sni_builder_clear(sni_builder *b);
/* A word of level 1, with its unigram; ids count from 0. *is_new false: there
 * is one already, nothing was added. */
SN_NODISCARD sn_status sni_builder_add_word(sni_builder *b, const char *s,
                                            size_t n, float logp, float backoff,
                                            bool *is_new, sn_err *err);
/* Id, or -1. */
int32_t sni_builder_find(const sni_builder *b, const char *s, size_t n);
/* An n-gram of the current level (2 ..); words are ids. One whose prefix is
 * missing is kept apart until sni_builder_take. */
SN_NODISCARD sn_status sni_builder_add(sni_builder *b, const int32_t *words,
                                       float logp, float backoff, sn_err *err);
/* Sorts and links the level, and goes on to the next. SN_EFORMAT for an n-gram
 * that was added twice; n_duplicate_at then is the number of its second
 * addition in this level (orphans not counted), and err is not filled. */
SN_NODISCARD sn_status sni_builder_end_level(sni_builder *b, sn_err *err);
/* After `order` levels: inserts the prefixes that orphans need, with the
 * probability that backing off gives them and back-off weight 0, which changes
 * no probability of the model; n_inserted counts them. The model is the
 * caller's. */
SN_NODISCARD sn_status sni_builder_take(sni_builder *b, sn_ngram **out,
                                        sn_err *err);

/* Gives the model a heap block to free with it. */
void sni_ngram_own(sn_ngram *lm, void *block);

/* Scales the words' probabilities to sum to one and computes all back-off
 * weights anew; the model is in memory (mix.c). */
void sni_ngram_normalise(sn_ngram *lm);

/* ---- Readers ---- */
SN_NODISCARD sn_status sni_arpa_read(sn_reader *r, sn_log *log, sn_ngram **out,
                                     sn_err *err);
SN_NODISCARD sn_status sni_arpa_write(const sn_ngram *lm, const char *path,
                                      sn_log *log, sn_err *err);
SN_NODISCARD sn_status sni_sphinx_lm_read(const void *data, size_t n,
                                          const char *name, sn_log *log,
                                          sn_ngram **out, sn_err *err);
SN_NODISCARD sn_status sni_lm_binary_open(const char *path, sn_ngram **out,
                                          sn_err *err);
SN_NODISCARD sn_status sni_lm_binary_open_memory(const void *data, size_t n,
                                                 const char *name,
                                                 sn_ngram **out, sn_err *err);
SN_NODISCARD sn_status sni_lm_binary_write(const sn_ngram *lm, const char *path,
                                           bool is_fast, sn_log *log,
                                           sn_err *err);
/* The fast binary's own sections; lm_binary.c calls them. Opening leaves a
 * file without them as it is. */
SN_NODISCARD sn_status sni_fast_add(sn_box_writer *w, const sn_ngram *lm,
                                    sn_err *err);
SN_NODISCARD sn_status sni_fast_open(sn_ngram *lm, sn_err *err);
SN_NODISCARD sn_status sni_fast_verify(const sn_ngram *lm, sn_err *err);
double sni_fast_score(const sn_ngram *lm, sn_ngram_state from, int32_t word,
                      sn_ngram_state *to, int32_t *matched);
/* The first slot of a key: multiplied, mixed, and brought into the range by a
 * second multiplication instead of a division (docs/lm.md). */
static inline uint32_t sni_fast_first_slot(uint32_t from, uint32_t word,
                                           uint32_t n_slots) {
  uint64_t h = ((uint64_t)from << 32 | word) * 0x9e3779b97f4a7c15u;
  h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
  return (uint32_t)((h >> 32) * n_slots >> 32);
}
/* One of 64 bits for a word (docs/lm.md). */
static inline uint64_t sni_fast_word_bit(uint32_t word) {
  return (uint64_t)1 << (word * 0x9e3779b1u >> 26);
}
/* The key's slot, from its first slot on; or NULL. */
const sni_fast_slot *sni_fast_find_from(const sn_ngram *lm, uint32_t slot,
                                        uint32_t from, uint32_t word);
/* The vocabulary's sections, which the own and the small binary share. */
SN_NODISCARD sn_status sni_lm_vocab_add(sn_box_writer *w, const sni_vocab *v,
                                        sn_err *err);
SN_NODISCARD sn_status sni_lm_info_open(sn_ngram *lm, sn_err *err);
SN_NODISCARD sn_status sni_lm_vocab_open(sn_ngram *lm, sn_err *err);
SN_NODISCARD sn_status sni_lm_vocab_verify(const sn_ngram *lm, sn_err *err);
SN_NODISCARD sn_status sni_lm_new(const char *name, sn_ngram **out,
                                  sn_err *err);
SN_NODISCARD sn_status sni_small_open(const char *path, sn_ngram **out,
                                      sn_err *err);
SN_NODISCARD sn_status sni_small_open_memory(const void *data, size_t n,
                                             const char *name, sn_ngram **out,
                                             sn_err *err);
SN_NODISCARD sn_status sni_small_verify(const sn_ngram *lm, sn_err *err);
SN_NODISCARD sn_status sni_small_write(const sn_ngram *lm, const char *path,
                                       int32_t bits, sn_log *log, sn_err *err);
#define SNI_SPHINX_LM_MAGIC "Trie Language Model"
#define SNI_SPHINX_DMP_MAGIC "Darpa Trigram LM"

#endif
