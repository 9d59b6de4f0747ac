/* SPDX-License-Identifier: Apache-2.0 */
/* Back-off n-gram models: queries and structure.
 *
 * The trie runs forward: the path a, b, c is the n-gram "a b c", so a
 * history's explicit successors are its children. Every prefix of an n-gram is
 * a node (the builder sees to it); suffixes need not be, hence links that name
 * a level too. A query walks from the history along suffix links until the
 * word is found: one binary search a step, at most `order` steps, and the next
 * history is at hand (the node found, or its suffix link at the top).
 *
 * That "the longest suffix of the words so far that is a node" can be carried
 * from word to word: if u w is a node then so is its prefix u, and u is a
 * suffix of the history; therefore it is one of the states that the walk
 * passes.
 *
 * Sizes: 20 bytes a node, 12 at the highest level; 3.7 million n-grams of
 * order 3 take 62 MB.
 *
 * A mapped file may be damaged where nobody has verified it yet (see
 * sn_ngram_verify): each index that comes from the arrays is limited to its
 * range when it is used. */
#include "lm/ngram.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lm/ngram_internal.h"
#include "lm/small.h"

/* FNV-1a (Fowler, Noll and Vo), with the high bits mixed into the low ones. */
#define HASH_BEGIN 2166136261u
static uint32_t hash_byte(uint32_t h, unsigned char c) {
  return (h ^ c) * 16777619u;
}
static uint32_t hash_end(uint32_t h) { return (h ^ h >> 15) * 0x2c1b3c6du; }

uint32_t sni_word_hash(const char *s, size_t n) {
  uint32_t h = HASH_BEGIN;
  for (size_t i = 0; i < n; i++) h = hash_byte(h, (unsigned char)s[i]);
  return hash_end(h);
}

static int32_t find_from(const sni_vocab *v, uint32_t slot, const char *s,
                         size_t n) {
  uint32_t i = slot;
  for (uint32_t tries = 0; tries <= v->mask; tries++, i = (i + 1) & v->mask) {
    const uint32_t id = v->slot[i];
    if (id == 0) return -1;
    if (id > (uint32_t)v->n_words) continue; /* damaged */
    const size_t at = v->at[id - 1];
    if (at < v->n_text_bytes && n < v->n_text_bytes - at &&
        memcmp(v->text + at, s, n) == 0 && v->text[at + n] == '\0')
      return (int32_t)(id - 1);
  }
  return -1;
}

int32_t sni_vocab_find(const sni_vocab *v, const char *s, size_t n) {
  return v->slot == NULL ? -1
                         : find_from(v, sni_word_hash(s, n) & v->mask, s, n);
}

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

static void child_range(const sn_ngram *lm, sn_ngram_state h, int64_t *begin,
                        int64_t *end) {
  if (lm->small != NULL) {
    sni_small_children(lm, h, begin, end);
    return;
  }
  if (h.level == 0) {
    *begin = 0;
    *end = lm->level[1].n;
    return;
  }
  const uint32_t *const first = lm->level[h.level].first + h.node;
  *end = min_i64(first[1], lm->level[h.level + 1].n);
  *begin = min_i64(first[0], *end);
}

int64_t sni_child(const sn_ngram *lm, sn_ngram_state h, int32_t word) {
  if (h.level == 0) return word < lm->vocab.n_words ? word : -1;
  if (lm->small != NULL) return sni_small_child(lm, h, word);
  int64_t begin, end;
  child_range(lm, h, &begin, &end);
  const int32_t *at = lm->level[h.level + 1].word + begin;
  size_t n = (size_t)(end - begin);
  if (n == 0) return -1;
  /* Invariant: the word, if there, is within at[0 .. n). Long lists (a common
   * word has 20,000 successors) are narrowed down by interpolation first,
   * supposing that ids are spread evenly over all words: a step or two instead
   * of ten, each of which would wait for memory. */
  int64_t low = 0, high = lm->vocab.n_words; /* low <= word < high */
  for (int step = 0; step < 4 && n > 64; step++) {
    const size_t guess =
        (size_t)((uint64_t)(word - low) * n / (uint64_t)(high - low));
    const size_t from = guess > 16 ? guess - 16 : 0;
    const size_t to = guess + 16 < n ? guess + 16 : n;
    if (at[from] > word) {
      if (from == 0) return -1;
      n = from;
      high = at[from];
    } else if (to < n && at[to] <= word) {
      low = at[to];
      at += to;
      n -= to;
    } else {
      at += from;
      n = to - from;
    }
  }
  /* The step is written so that it compiles to a conditional move. */
  while (n > 1) {
    const size_t half = n / 2;
    at = at[half] <= word ? at + half : at;
    n -= half;
  }
  if (*at != word) return -1;
  return at - lm->level[h.level + 1].word;
}

int64_t sni_find(const sn_ngram *lm, const int32_t *words, int32_t n) {
  sn_ngram_state h = {0, 0};
  for (int32_t i = 0; i < n; i++) {
    h.node = sni_child(lm, h, words[i]);
    if (h.node < 0) return -1;
    h.level = i + 1;
  }
  return h.node;
}

sn_ngram_state sni_link_state(const sn_ngram *lm, int32_t level,
                              uint32_t link) {
  sn_ngram_state s = {0, 0};
  if (link == 0 || link >= lm->base[level]) return s;
  s.level = level - 1;
  while (link < lm->base[s.level]) s.level--;
  s.node = link - lm->base[s.level];
  return s;
}

double sni_eval(const sn_ngram *lm, const int32_t *words, int32_t n,
                int32_t max_level) {
  double sum = 0.0;
  for (int32_t from = 0; from < n; from++) {
    const int32_t len = n - from;
    const int64_t node =
        len <= max_level ? sni_find(lm, words + from, len) : -1;
    if (node >= 0) return sum + (double)lm->level[len].logp[node];
    if (len - 1 > max_level) continue;
    const int64_t h = sni_find(lm, words + from, len - 1);
    if (h >= 0 && lm->level[len - 1].backoff != NULL)
      sum += (double)lm->level[len - 1].backoff[h];
  }
  return -INFINITY;
}

static bool is_unk(const char *w) {
  return strlen(w) == 5 && w[0] == '<' && w[4] == '>' && (w[1] | 32) == 'u' &&
         (w[2] | 32) == 'n' && (w[3] | 32) == 'k';
}

void sni_ngram_finish(sn_ngram *lm) {
  lm->base[0] = 0;
  lm->base[1] = 1;
  for (int32_t k = 1; k <= lm->order; k++)
    lm->base[k + 1] = lm->base[k] + (uint32_t)lm->level[k].n;
  lm->bos = sni_vocab_find(&lm->vocab, "<s>", 3);
  lm->eos = sni_vocab_find(&lm->vocab, "</s>", 4);
  lm->unk = -1;
  char name[] = "<unk>";
  for (unsigned bits = 0; bits < 8 && lm->unk < 0; bits++) {
    for (unsigned c = 0; c < 3; c++)
      name[1 + c] = (char)((bits >> c & 1) ? "UNK"[c] : "unk"[c]);
    SN_ASSERT(is_unk(name));
    lm->unk = sni_vocab_find(&lm->vocab, name, 5);
  }
}

void sni_ngram_own(sn_ngram *lm, void *block) {
  SN_ASSERT(lm->n_own < sizeof lm->own / sizeof *lm->own);
  lm->own[lm->n_own++] = block;
}

void sn_ngram_destroy(sn_ngram *lm) {
  if (lm == NULL) return;
  for (size_t i = 0; i < lm->n_own; i++) sn_free(lm->own[i]);
  sn_box_destroy(lm->box);
  sn_free_aligned(lm->box_memory);
  sn_free(lm->small);
  sn_free(lm->name);
  sn_free(lm);
}

int32_t sn_ngram_order(const sn_ngram *lm) { return lm->order; }

int64_t sn_ngram_count(const sn_ngram *lm, int32_t level) {
  SN_ASSERT(level >= 1 && level <= lm->order);
  return lm->level[level].n;
}

int32_t sn_ngram_n_words(const sn_ngram *lm) { return lm->vocab.n_words; }

const char *sn_ngram_word(const sn_ngram *lm, int32_t word) {
  SN_ASSERT(word >= 0 && word < lm->vocab.n_words);
  const size_t at = lm->vocab.at[word];
  return at < lm->vocab.n_text_bytes ? lm->vocab.text + at : "";
}

int32_t sn_ngram_find(const sn_ngram *lm, const char *word) {
  return sni_vocab_find(&lm->vocab, word, strlen(word));
}

/* A look-up in sn_ngram_find_batch. */
typedef struct look_up {
  uint32_t slot;
  uint32_t n; /* bytes of the word */
} look_up;

static look_up begin_look_up(const sni_vocab *v, const char *word) {
  size_t n = 0;
  uint32_t h = HASH_BEGIN;
  for (; word[n] != '\0'; n++) h = hash_byte(h, (unsigned char)word[n]);
  const look_up l = {hash_end(h) & v->mask, (uint32_t)n};
  __builtin_prefetch(&v->slot[l.slot]);
  return l;
}

/* Stages of a look-up that is AHEAD texts further on in each: the hash, the
 * word's id, the place of its text, the comparison. */
#define AHEAD 8u
#define LOOKS (4 * AHEAD)

void sn_ngram_find_batch(const sn_ngram *lm, const char *text, const size_t *at,
                         size_t n, sn_ngram_token *tokens) {
  const sni_vocab *const v = &lm->vocab;
  if (v->slot == NULL) {
    for (size_t i = 0; i < n; i++) tokens[i].word = -1;
    return;
  }
  look_up look[LOOKS];
  for (size_t i = 0; i < n + 3 * AHEAD; i++) {
    if (i < n) look[i % LOOKS] = begin_look_up(v, text + at[i]);
    if (i >= AHEAD && i - AHEAD < n) {
      const uint32_t id = v->slot[look[(i - AHEAD) % LOOKS].slot] - 1;
      if (id < (uint32_t)v->n_words) __builtin_prefetch(&v->at[id]);
    }
    if (i >= 2 * AHEAD && i - 2 * AHEAD < n) {
      const uint32_t id = v->slot[look[(i - 2 * AHEAD) % LOOKS].slot] - 1;
      if (id < (uint32_t)v->n_words && v->at[id] < v->n_text_bytes)
        __builtin_prefetch(v->text + v->at[id]);
    }
    if (i >= 3 * AHEAD) {
      const size_t k = i - 3 * AHEAD;
      const look_up *const l = &look[k % LOOKS];
      tokens[k].word = find_from(v, l->slot, text + at[k], l->n);
    }
  }
}

int32_t sn_ngram_bos(const sn_ngram *lm) { return lm->bos; }
int32_t sn_ngram_eos(const sn_ngram *lm) { return lm->eos; }
int32_t sn_ngram_unk(const sn_ngram *lm) { return lm->unk; }

sn_ngram_state sn_ngram_begin(const sn_ngram *lm) {
  sn_ngram_state s = {0, 0};
  if (lm->bos >= 0 && lm->order > 1) {
    s.level = 1;
    s.node = lm->bos;
  }
  return s;
}

static void check_state(const sn_ngram *lm, sn_ngram_state h) {
  SN_ASSERT(h.level >= 0 && h.level < lm->order);
  SN_ASSERT(h.node >= 0 && h.node < (h.level == 0 ? 1 : lm->level[h.level].n));
}

static sn_ngram_state suffix_of(const sn_ngram *lm, int32_t level,
                                int64_t node) {
  const sn_ngram_state empty = {0, 0};
  if (level <= 1) return empty;
  if (lm->small != NULL) return sni_small_suffix(lm, level, node);
  return sni_link_state(lm, level, lm->level[level].suffix[node]);
}

double sn_ngram_score(const sn_ngram *lm, sn_ngram_state from, int32_t word,
                      sn_ngram_state *to, int32_t *matched) {
  check_state(lm, from);
  SN_ASSERT(word >= -1 && word < lm->vocab.n_words);
  if (word < 0) word = lm->unk;
  if (word < 0) {
    const sn_ngram_state empty = {0, 0};
    if (to != NULL) *to = empty;
    if (matched != NULL) *matched = 0;
    return -INFINITY;
  }
  if (lm->fast != NULL) return sni_fast_score(lm, from, word, to, matched);
  if (lm->small != NULL) return sni_small_score(lm, from, word, to, matched);
  double sum = 0.0;
  int64_t node = sni_child(lm, from, word);
  while (node < 0) {
    sum += (double)lm->level[from.level].backoff[from.node];
    from = suffix_of(lm, from.level, from.node);
    node = sni_child(lm, from, word);
  }
  const int32_t level = from.level + 1;
  if (matched != NULL) *matched = level;
  if (to != NULL) *to = sn_ngram_next_state(lm, level, node);
  return sum + (double)lm->level[level].logp[node];
}

double sn_ngram_sum(const sn_ngram *lm, sn_ngram_state h) {
  double sum = 0.0;
  for (int32_t w = 0; w < lm->vocab.n_words; w++)
    if (w != lm->bos) sum += exp(sn_ngram_score(lm, h, w, NULL, NULL));
  return sum;
}

int64_t sn_ngram_children(const sn_ngram *lm, sn_ngram_state h,
                          int64_t *first) {
  check_state(lm, h);
  int64_t end;
  child_range(lm, h, first, &end);
  return end - *first;
}

static void check_node(const sn_ngram *lm, int32_t level, int64_t node) {
  SN_ASSERT(level >= 1 && level <= lm->order);
  SN_ASSERT(node >= 0 && node < lm->level[level].n);
}

int32_t sn_ngram_child_word(const sn_ngram *lm, int32_t level, int64_t node) {
  check_node(lm, level, node);
  if (level == 1) return (int32_t)node;
  if (lm->small != NULL) return sni_small_word(lm, level, node);
  const int32_t w = lm->level[level].word[node];
  return w >= 0 && w < lm->vocab.n_words ? w : 0;
}

double sn_ngram_node_logp(const sn_ngram *lm, int32_t level, int64_t node) {
  check_node(lm, level, node);
  if (lm->small != NULL) return sni_small_logp(lm, level, node);
  return (double)lm->level[level].logp[node];
}

double sn_ngram_node_backoff(const sn_ngram *lm, int32_t level, int64_t node) {
  check_node(lm, level, node);
  if (lm->small != NULL) return sni_small_backoff(lm, level, node);
  if (lm->level[level].backoff == NULL) return 0.0;
  return (double)lm->level[level].backoff[node];
}

sn_ngram_state sn_ngram_backoff_state(const sn_ngram *lm, sn_ngram_state h) {
  check_state(lm, h);
  return suffix_of(lm, h.level, h.node);
}

sn_ngram_state sn_ngram_next_state(const sn_ngram *lm, int32_t level,
                                   int64_t node) {
  check_node(lm, level, node);
  if (level < lm->order) {
    const sn_ngram_state s = {level, node};
    return s;
  }
  return suffix_of(lm, level, node);
}

void sni_walk_init(sni_walk *w, const sn_ngram *lm, int32_t level) {
  memset(w, 0, sizeof *w);
  w->lm = lm;
  w->level = level;
}

void sni_walk_to(sni_walk *w, int64_t i) {
  const sn_ngram *const lm = w->lm;
  w->at[w->level] = i;
  for (int32_t k = w->level; k > 1; k--) {
    const sni_level *const up = &lm->level[k - 1];
    int64_t p = w->at[k - 1];
    while (p + 1 < up->n && (int64_t)up->first[p + 1] <= w->at[k]) p++;
    w->words[k - 1] = sn_ngram_child_word(lm, k, w->at[k]);
    w->at[k - 1] = p;
  }
  w->words[0] = (int32_t)w->at[1];
}
