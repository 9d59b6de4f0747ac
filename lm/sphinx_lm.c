/* SPDX-License-Identifier: Apache-2.0 */
/* Reads Sphinx's binary language models (".lm.bin", a bit-packed trie with
 * quantised weights).
 *
 * The file, all numbers little-endian:
 *   "Trie Language Model" (19 bytes, no NUL), order u8, counts u32[order]
 *   order > 1: u32 (not used); for each order 2 .. order - 1 two tables
 *     float[65536] (probabilities, back-offs), then one of the highest order
 *   unigrams: counts[0] + 1 times {float logp, float backoff, u32 next}
 *   orders 2 .. order - 1: counts + 1 entries of bit fields without gaps:
 *     word, back-off index 16, probability index 16, next
 *   highest order: word, probability index 16
 *   i32 length, counts[0] NUL-terminated words
 * A field of values up to m takes bit-length(m) bits: counts[0] for words, the
 * next order's count for `next`. A level takes (entries * bits + 7) / 8 + 8
 * bytes, entries including the one at the end that only bounds `next`.
 * Weights are logarithms to the base 1.0001.
 *
 * The trie runs backward: the path w, h1, h2 is the n-gram "h2 h1 w". Both of
 * its weights belong to that n-gram. We walk it level by level in storage
 * order and hand each n-gram to the builder, which turns it round.
 *
 * Source: sphinxbase (commit 00ce9884) lm/ngram_model_trie.c, lm_trie.c,
 * lm_trie_quant.c, util/bitarr.c; read for the layout. */
#include <math.h>
#include <string.h>

#include "lm/ngram_internal.h"

#define TABLE_SIZE 65536u
#define LN_BASE 9.9995000333308335e-05 /* log(1.0001) */
/* Fields are read out of 32 bits from a byte boundary: 7 bits may be lost. */
#define MAX_FIELD_BITS 25u

typedef struct cursor {
  const unsigned char *data;
  size_t n, at;
  const char *name;
} cursor;

/* One level of the packed trie. */
typedef struct packed {
  const unsigned char *data;
  size_t n_bytes;
  uint32_t n;
  uint32_t word_bits, next_bits, entry_bits;
  const unsigned char *logp_table, *backoff_table; /* NULL at the top */
} packed;

typedef struct trie {
  const char *name;
  int32_t order;
  uint32_t counts[SN_NGRAM_MAX_ORDER];
  uint32_t n_used[SN_NGRAM_MAX_ORDER + 1]; /* [1 .. order] see check_ranges */
  const unsigned char *unigrams;
  packed level[SN_NGRAM_MAX_ORDER + 1]; /* [2 .. order] */
  int64_t n_positive; /* probabilities above 1 that were set to 1 */
} trie;

static uint32_t load_u32(const unsigned char *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
         (uint32_t)p[3] << 24;
}

static float load_f32(const unsigned char *p) {
  const uint32_t bits = load_u32(p);
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static sn_status take(cursor *c, uint64_t n_bytes, const char *what,
                      const unsigned char **out, sn_err *err) {
  if (n_bytes > c->n - c->at)
    return sn_fail(err, SN_EFORMAT,
                   "%s: %s at byte %zu needs %llu bytes, the file has %zu "
                   "more; is it truncated?",
                   c->name, what, c->at, (unsigned long long)n_bytes,
                   c->n - c->at);
  *out = c->data + c->at;
  c->at += (size_t)n_bytes;
  return SN_OK;
}

static uint32_t bit_length(uint32_t v) {
  uint32_t n = 0;
  for (; v != 0; v >>= 1) n++;
  return n;
}

/* The level's data has 8 bytes more than its entries, so the last field may
 * be read with the bytes behind it. */
static uint32_t field(const packed *p, uint64_t bit, uint32_t n_bits) {
  return load_u32(p->data + (bit >> 3)) >> (bit & 7) & ((1u << n_bits) - 1u);
}

static uint32_t entry_word(const packed *p, uint32_t i) {
  return field(p, (uint64_t)i * p->entry_bits, p->word_bits);
}

static uint32_t entry_next(const packed *p, uint32_t i) {
  return field(p, (uint64_t)(i + 1) * p->entry_bits - p->next_bits,
               p->next_bits);
}

/* Start of the children of node i of `level`; i may be the count. */
static uint32_t next_of(const trie *t, int32_t level, uint32_t i) {
  if (level == 1) return load_u32(t->unigrams + 12 * (size_t)i + 8);
  return entry_next(&t->level[level], i);
}

static sn_status read_header(cursor *c, trie *t, sn_err *err) {
  const unsigned char *p = NULL;
  SN_TRY(take(c, strlen(SNI_SPHINX_LM_MAGIC), "the magic", &p, err));
  if (memcmp(p, SNI_SPHINX_LM_MAGIC, strlen(SNI_SPHINX_LM_MAGIC)) != 0)
    return sn_fail(err, SN_EFORMAT, "%s: not a Sphinx binary language model",
                   c->name);
  SN_TRY(take(c, 1, "the order", &p, err));
  t->order = p[0];
  if (t->order < 1 || t->order > SN_NGRAM_MAX_ORDER)
    return sn_fail(err, SN_EFORMAT, "%s: order %d at byte %zu is not in 1..%d",
                   c->name, t->order, c->at - 1, SN_NGRAM_MAX_ORDER);
  for (int32_t k = 0; k < t->order; k++) {
    SN_TRY(take(c, 4, "n-gram counts", &p, err));
    t->counts[k] = load_u32(p);
    if (bit_length(t->counts[k]) > MAX_FIELD_BITS)
      return sn_fail(err, SN_EFORMAT,
                     "%s: %u %d-grams (byte %zu) are more than the format "
                     "can hold",
                     c->name, t->counts[k], k + 1, c->at - 4);
  }
  return SN_OK;
}

static sn_status read_levels(cursor *c, trie *t, sn_err *err) {
  const unsigned char *p = NULL;
  const uint64_t table_bytes = TABLE_SIZE * sizeof(float);
  if (t->order > 1) SN_TRY(take(c, 4, "the quantiser's header", &p, err));
  for (int32_t k = 2; k <= t->order; k++) {
    SN_TRY(take(c, table_bytes, "probability table", &p, err));
    t->level[k].logp_table = p;
    if (k == t->order) break;
    SN_TRY(take(c, table_bytes, "back-off table", &p, err));
    t->level[k].backoff_table = p;
  }
  SN_TRY(take(c, 12 * ((uint64_t)t->counts[0] + 1), "unigrams", &p, err));
  t->unigrams = p;
  for (int32_t k = 2; k <= t->order; k++) {
    packed *const l = &t->level[k];
    l->n = t->counts[k - 1];
    l->word_bits = bit_length(t->counts[0]);
    l->next_bits = k < t->order ? bit_length(t->counts[k]) : 0;
    l->entry_bits = l->word_bits + (k < t->order ? 32 : 16) + l->next_bits;
    const uint64_t n_bits = ((uint64_t)l->n + 1) * l->entry_bits;
    if (n_bits > UINT32_MAX)
      return sn_fail(err, SN_EFORMAT,
                     "%s: %u %d-grams of %u bits are more than the format "
                     "can hold",
                     c->name, l->n, k, l->entry_bits);
    SN_TRY(take(c, (n_bits + 7) / 8 + 8, "n-grams", &l->data, err));
  }
  return SN_OK;
}

/* The children's ranges ascend and stay within the next level. The counts of
 * the header may be a few too high (en-us: 6 of 2,051,547 2-grams are empty):
 * what counts is where the last node of the level above ends. */
static sn_status check_ranges(trie *t, sn_err *err) {
  t->n_used[1] = t->counts[0];
  for (int32_t k = 1; k < t->order; k++) {
    uint32_t before = 0;
    for (uint32_t i = 0; i <= t->n_used[k]; i++) {
      const uint32_t next = next_of(t, k, i);
      if (next < before || next > t->counts[k])
        return sn_fail(err, SN_EFORMAT,
                       "%s: %d-gram %u points to %d-gram %u, not within "
                       "%u..%u",
                       t->name, k, i, k + 1, next, before, t->counts[k]);
      before = next;
    }
    t->n_used[k + 1] = before;
  }
  return SN_OK;
}

static sn_status weight(trie *t, float value, bool is_prob, int32_t level,
                        uint32_t i, float *out, sn_err *err) {
  if (!isfinite(value))
    return sn_fail(err, SN_EFORMAT, "%s: %s of %d-gram %u is not a number",
                   t->name, is_prob ? "probability" : "back-off", level, i);
  if (is_prob && value > 0.0f) {
    t->n_positive++;
    value = 0.0f;
  }
  *out = (float)((double)value * LN_BASE);
  return SN_OK;
}

static sn_status add_words(cursor *c, trie *t, sni_builder *b, sn_err *err) {
  const unsigned char *p = NULL;
  SN_TRY(take(c, 4, "the length of the words", &p, err));
  const uint32_t n_bytes = load_u32(p);
  SN_TRY(take(c, n_bytes, "words", &p, err));
  size_t at = 0;
  for (uint32_t i = 0; i < t->counts[0]; i++) {
    const unsigned char *const end = memchr(p + at, '\0', n_bytes - at);
    if (end == NULL)
      return sn_fail(err, SN_EFORMAT, "%s: %u words, the header says %u",
                     t->name, i, t->counts[0]);
    const char *const word = (const char *)p + at;
    const size_t n = (size_t)(end - (p + at));
    if (n == 0)
      return sn_fail(err, SN_EFORMAT, "%s: word %u is empty", t->name, i);
    const unsigned char *const u = t->unigrams + 12 * (size_t)i;
    float logp = 0.0f, backoff = 0.0f;
    bool is_new;
    SN_TRY(weight(t, load_f32(u), true, 1, i, &logp, err));
    SN_TRY(weight(t, load_f32(u + 4), false, 1, i, &backoff, err));
    SN_TRY(sni_builder_add_word(b, word, n, logp, backoff, &is_new, err));
    if (!is_new)
      return sn_fail(err, SN_EFORMAT, "%s: the word '%s' occurs twice", t->name,
                     word);
    at += n + 1;
  }
  return SN_OK;
}

static sn_status entry_weights(trie *t, int32_t level, uint32_t i, float *logp,
                               float *backoff, sn_err *err) {
  const packed *const l = &t->level[level];
  uint64_t bit = (uint64_t)i * l->entry_bits + l->word_bits;
  *backoff = 0.0f;
  if (l->backoff_table != NULL) {
    const uint32_t index = field(l, bit, 16);
    SN_TRY(weight(t, load_f32(l->backoff_table + 4 * (size_t)index), false,
                  level, i, backoff, err));
    bit += 16;
  }
  const uint32_t index = field(l, bit, 16);
  return weight(t, load_f32(l->logp_table + 4 * (size_t)index), true, level, i,
                logp, err);
}

/* All n-grams of one order, in storage order; at[] follows the path. */
static sn_status add_level(trie *t, int32_t level, sni_builder *b,
                           sn_err *err) {
  uint32_t at[SN_NGRAM_MAX_ORDER + 1] = {0};
  int32_t words[SN_NGRAM_MAX_ORDER];
  const uint32_t begin = next_of(t, level - 1, 0);
  const uint32_t end = t->n_used[level];
  for (uint32_t i = begin; i < end; i++) {
    at[level] = i;
    for (int32_t k = level; k > 1; k--) {
      while (next_of(t, k - 1, at[k - 1] + 1) <= at[k]) at[k - 1]++;
      const uint32_t w = entry_word(&t->level[k], at[k]);
      if (w >= t->counts[0])
        return sn_fail(err, SN_EFORMAT, "%s: %d-gram %u names word %u of %u",
                       t->name, k, at[k], w, t->counts[0]);
      words[level - k] = (int32_t)w;
    }
    words[level - 1] = (int32_t)at[1];
    float logp = 0.0f, backoff = 0.0f;
    SN_TRY(entry_weights(t, level, i, &logp, &backoff, err));
    SN_TRY(sni_builder_add(b, words, logp, backoff, err));
  }
  return SN_OK;
}

static sn_status read_all(cursor *c, trie *t, sni_builder *b, sn_log *log,
                          sn_err *err) {
  SN_TRY(check_ranges(t, err));
  SN_TRY(add_words(c, t, b, err));
  SN_TRY(sni_builder_end_level(b, err));
  for (int32_t k = 2; k <= t->order; k++) {
    SN_TRY(add_level(t, k, b, err));
    const sn_status s = sni_builder_end_level(b, err);
    if (s == SN_EFORMAT)
      return sn_fail(err, s, "%s: a %d-gram occurs twice", t->name, k);
    SN_TRY(s);
    sn_log_progress(log, "reading", "orders", k, t->order, k == t->order);
    if (sn_log_cancelled(log))
      return sn_fail(err, SN_ECANCEL, "%s: interrupted", t->name);
  }
  return SN_OK;
}

sn_status sni_sphinx_lm_read(const void *data, size_t n, const char *name,
                             sn_log *log, sn_ngram **out, sn_err *err) {
  *out = NULL;
  cursor c = {data, n, 0, name};
  trie t = {.name = name};
  SN_TRY(read_header(&c, &t, err));
  SN_TRY(read_levels(&c, &t, err));
  sni_builder b;
  sn_status s = sni_builder_init(&b, name, t.order, err);
  if (s == SN_OK) s = read_all(&c, &t, &b, log, err);
  if (s == SN_OK) s = sni_builder_take(&b, out, err);
  if (s == SN_OK && b.n_inserted > 0)
    sn_warn(log,
            "%s: %lld n-grams lacked their first words' n-gram; it was "
            "added with its backed-off probability",
            name, (long long)b.n_inserted);
  if (s == SN_OK && t.n_positive > 0)
    sn_warn(log, "%s: %lld probabilities above 1 were set to 1", name,
            (long long)t.n_positive);
  sni_builder_clear(&b);
  return s;
}
