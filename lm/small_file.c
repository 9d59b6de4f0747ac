/* SPDX-License-Identifier: Apache-2.0 */
/* The small binary as a file: quantising and packing, opening, verifying, and
 * back to a plain trie. docs/lm.md has every byte.
 *
 * Quantising a level's weights: the distinct values themselves where the table
 * holds them; else bins of equal numbers of n-grams, then Lloyd's iterations
 * (1982, "Least squares quantization in PCM") on the sorted values, which
 * lower the squared error each time. A back-off weight of 0, the commonest by
 * far, keeps entry 0 and stays exact. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lm/ngram_internal.h"
#include "lm/small.h"

#define LLOYD_ITERATIONS 20

static unsigned bits_for(uint64_t largest) {
  unsigned bits = 0;
  while (bits < 32 && largest >> bits != 0) bits++;
  return bits;
}

/* ---- Quantising ---- */

static int by_value(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* First of sorted[0 .. n) that is nearer to `to` than to `from` < to. */
static size_t border(const float *sorted, size_t n, double from, double to) {
  const double middle = (from + to) / 2.0;
  size_t lo = 0, hi = n;
  while (lo < hi) {
    const size_t mid = lo + (hi - lo) / 2;
    if ((double)sorted[mid] < middle)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* Entries centre[0 .. n_centres), ascending, for sorted[0 .. n); n > 0. sum is
 * sorted's running sum, [n + 1]. Returns how many entries are used. */
static size_t choose_centres(const float *sorted, const double *sum, size_t n,
                             float *centre, size_t n_centres) {
  size_t n_distinct = 0;
  for (size_t i = 0; i < n && n_distinct <= n_centres; i++)
    if (i == 0 || sorted[i] != sorted[i - 1]) {
      if (n_distinct < n_centres) centre[n_distinct] = sorted[i];
      n_distinct++;
    }
  if (n_distinct <= n_centres) return n_distinct;
  for (size_t c = 0; c < n_centres; c++) {
    const size_t lo = n * c / n_centres, hi = n * (c + 1) / n_centres;
    centre[c] = (float)((sum[hi] - sum[lo]) / (double)(hi - lo));
  }
  for (int i = 0; i < LLOYD_ITERATIONS; i++) {
    size_t lo = 0;
    for (size_t c = 0; c < n_centres; c++) {
      const size_t hi = c + 1 < n_centres ? border(sorted, n, (double)centre[c],
                                                   (double)centre[c + 1])
                                          : n;
      if (hi > lo) centre[c] = (float)((sum[hi] - sum[lo]) / (double)(hi - lo));
      lo = hi > lo ? hi : lo;
    }
  }
  return n_centres;
}

/* table[0 .. 2^bits) for value[0 .. n). keep_zero: entry 0 is 0 and the rest
 * is for the other values. */
static sn_status make_table(const float *value, size_t n, unsigned bits,
                            bool keep_zero, float *table, sn_err *err) {
  const size_t n_table = (size_t)1 << bits, at = keep_zero ? 1 : 0;
  float *const sorted = sn_calloc(n, sizeof *sorted);
  double *const sum = sn_calloc(n + 1, sizeof *sum);
  memset(table, 0, n_table * sizeof *table);
  sn_status s = SN_OK;
  if (sorted == NULL || sum == NULL) {
    s = sn_fail_nomem(err, "quantising");
  } else {
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
      if (!keep_zero || value[i] != 0.0f) sorted[m++] = value[i];
    qsort(sorted, m, sizeof *sorted, by_value);
    for (size_t i = 0; i < m; i++) sum[i + 1] = sum[i] + (double)sorted[i];
    size_t used = 0;
    if (m > 0) used = choose_centres(sorted, sum, m, table + at, n_table - at);
    for (size_t i = at + used; i < n_table && i > 0; i++)
      table[i] = table[i - 1]; /* not used, but in order */
  }
  sn_free(sorted);
  sn_free(sum);
  return s;
}

static uint32_t code_of(const float *table, unsigned bits, bool keep_zero,
                        float v) {
  if (keep_zero && v == 0.0f) return 0;
  uint32_t lo = keep_zero ? 1 : 0, hi = (uint32_t)1 << bits;
  while (hi - lo > 1) { /* the last entry <= v, if any */
    const uint32_t mid = lo + (hi - lo) / 2;
    if (table[mid] <= v)
      lo = mid;
    else
      hi = mid;
  }
  if (lo + 1 < (uint32_t)1 << bits &&
      fabsf(table[lo + 1] - v) < fabsf(table[lo] - v))
    lo++;
  return lo;
}

/* ---- Writing ---- */

static void put_bits(unsigned char *data, uint64_t at, unsigned bits,
                     uint32_t v) {
  uint64_t old;
  unsigned char *const p = data + (at >> 3);
  (void)bits;
  memcpy(&old, p, sizeof old);
  old |= (uint64_t)v << (at & 7);
  memcpy(p, &old, sizeof old);
}

typedef char section_name[24];
static const char *named(section_name out, const char *what, int32_t level) {
  snprintf(out, sizeof(section_name), "%s.%d", what, level);
  return out;
}

static sn_status write_firsts(sn_box_writer *w, const sn_ngram *lm, int32_t k,
                              sn_err *err) {
  const uint32_t *const first = lm->level[k].first;
  const size_t n = (size_t)lm->level[k].n + 1;
  const size_t n_blocks = n / SNI_SMALL_BLOCK + 1;
  sni_small_block *const block = sn_calloc(n_blocks + 1, sizeof *block);
  unsigned char *diffs = NULL;
  size_t n_bytes = 0;
  section_name name;
  sn_status s = SN_OK;
  if (block == NULL) return sn_fail_nomem(err, "packing");
  for (size_t b = 0; b < n_blocks; b++) {
    const size_t from = b * SNI_SMALL_BLOCK;
    const size_t last = from + SNI_SMALL_BLOCK < n ? from + SNI_SMALL_BLOCK : n;
    block[b].first = first[from < n ? from : n - 1];
    block[b + 1].at = block[b].at + bits_for(first[last - 1] - block[b].first);
  }
  block[n_blocks].first = first[n - 1];
  n_bytes = (size_t)block[n_blocks].at * 16 + SNI_SMALL_PAD;
  diffs = sn_calloc(n_bytes, 1);
  if (diffs == NULL) {
    s = sn_fail_nomem(err, "packing");
    goto fail;
  }
  for (size_t i = 0; i < n; i++) {
    const size_t b = i / SNI_SMALL_BLOCK;
    const unsigned bits = block[b + 1].at - block[b].at;
    put_bits(diffs, (uint64_t)block[b].at * 128 + i % SNI_SMALL_BLOCK * bits,
             bits, first[i] - block[b].first);
  }
  SN_TRY_GOTO(
      s, sn_box_add(w, named(name, "block", k), 8, block, n_blocks + 1, err));
  SN_TRY_GOTO(s,
              sn_box_add(w, named(name, "first", k), 1, diffs, n_bytes, err));
fail:
  sn_free(block);
  sn_free(diffs);
  return s;
}

typedef struct tables {
  float *logp_of, *backoff_of; /* [2^bits] */
  unsigned bits;
} tables;

static sn_status write_records(sn_box_writer *w, const sn_ngram *lm, int32_t k,
                               const tables *t, sn_err *err) {
  const sni_level *const l = &lm->level[k];
  const size_t n = (size_t)l->n;
  const unsigned word_bits = bits_for((uint64_t)lm->vocab.n_words - 1);
  const unsigned backoff_bits = k < lm->order ? t->bits : 0;
  const unsigned all = word_bits + t->bits + backoff_bits;
  const size_t n_bytes = (size_t)(((uint64_t)n * all + 7) / 8) + SNI_SMALL_PAD;
  section_name name;
  SN_TRY(make_table(l->logp, n, t->bits, false, t->logp_of, err));
  SN_TRY(sn_box_add(w, named(name, "logp", k), 4, t->logp_of,
                    (size_t)1 << t->bits, err));
  if (backoff_bits > 0) {
    SN_TRY(make_table(l->backoff, n, t->bits, true, t->backoff_of, err));
    SN_TRY(sn_box_add(w, named(name, "backoff", k), 4, t->backoff_of,
                      (size_t)1 << t->bits, err));
  }
  unsigned char *const data = sn_calloc(n_bytes, 1);
  if (data == NULL) return sn_fail_nomem(err, "packing");
  for (size_t i = 0; i < n; i++) {
    const uint64_t at = (uint64_t)i * all;
    put_bits(data, at, word_bits, (uint32_t)l->word[i]);
    put_bits(data, at + word_bits, t->bits,
             code_of(t->logp_of, t->bits, false, l->logp[i]));
    if (backoff_bits > 0)
      put_bits(data, at + word_bits + t->bits, t->bits,
               code_of(t->backoff_of, t->bits, true, l->backoff[i]));
  }
  const sn_status s =
      sn_box_add(w, named(name, "records", k), 1, data, n_bytes, err);
  sn_free(data);
  return s;
}

static sn_status write_all(sn_box_writer *w, const sn_ngram *lm,
                           const tables *t, sn_log *log, sn_err *err) {
  uint64_t info[2 + SN_NGRAM_MAX_ORDER] = {(uint64_t)lm->order,
                                           (uint64_t)lm->vocab.n_words};
  const uint64_t bits = t->bits;
  const size_t n = (size_t)lm->level[1].n;
  for (int32_t k = 1; k <= lm->order; k++)
    info[1 + k] = (uint64_t)lm->level[k].n;
  SN_TRY(sn_box_add(w, "info", 8, info, 2 + (size_t)lm->order, err));
  SN_TRY(sn_box_add(w, "bits", 8, &bits, 1, err));
  SN_TRY(sni_lm_vocab_add(w, &lm->vocab, err));
  SN_TRY(sn_box_add(w, "logp.1", 4, lm->level[1].logp, n, err));
  if (lm->order > 1)
    SN_TRY(sn_box_add(w, "backoff.1", 4, lm->level[1].backoff, n, err));
  for (int32_t k = 1; k <= lm->order; k++) {
    if (k > 1) SN_TRY(write_records(w, lm, k, t, err));
    if (k < lm->order) SN_TRY(write_firsts(w, lm, k, err));
    sn_log_progress(log, "packing", "orders", k, lm->order, k == lm->order);
    if (sn_log_cancelled(log)) return sn_fail(err, SN_ECANCEL, "interrupted");
  }
  return sn_box_commit(w, err);
}

sn_status sni_small_write(const sn_ngram *lm, const char *path, int32_t bits,
                          sn_log *log, sn_err *err) {
  const size_t n = (size_t)1 << bits;
  tables t = {sn_calloc(n, sizeof(float)), sn_calloc(n, sizeof(float)),
              (unsigned)bits};
  sn_box_writer *w = NULL;
  sn_status s = SN_OK;
  if (t.logp_of == NULL || t.backoff_of == NULL)
    s = sn_fail_nomem(err, "quantising");
  if (s == SN_OK)
    s = sn_box_create(path, SNI_SMALL_MAGIC, SNI_SMALL_VERSION, &w, err);
  if (s == SN_OK) s = write_all(w, lm, &t, log, err);
  sn_box_writer_destroy(w);
  sn_free(t.logp_of);
  sn_free(t.backoff_of);
  return s;
}

/* ---- Opening ---- */

/* A section that must have n elements, checksum left for later. */
static sn_status section(sn_ngram *lm, const char *name, size_t size, size_t n,
                         const void *to, sn_err *err) {
  size_t got = 0;
  const void *p = NULL;
  SN_TRY(sn_box_section(lm->box, name, size, SN_BOX_LAZY, &p, &got, err));
  if (got != n)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section '%s' has %zu elements, not %zu", lm->name, name,
                   got, n);
  memcpy((void *)(uintptr_t)to, &p, sizeof p);
  return SN_OK;
}

static sn_status open_firsts(sn_ngram *lm, int32_t k, sn_err *err) {
  sni_small_level *const l = &lm->small->level[k];
  const size_t n_blocks = ((size_t)lm->level[k].n + 1) / SNI_SMALL_BLOCK + 1;
  section_name name;
  const void *p = NULL;
  SN_TRY(section(lm, named(name, "block", k), 8, n_blocks + 1, &l->block, err));
  SN_TRY(sn_box_section(lm->box, named(name, "first", k), 1, SN_BOX_LAZY, &p,
                        &l->n_diff_bytes, err));
  l->diffs = p;
  return SN_OK;
}

static sn_status open_records(sn_ngram *lm, int32_t k, unsigned bits,
                              sn_err *err) {
  sni_small_level *const l = &lm->small->level[k];
  section_name name;
  l->word_bits = bits_for((uint64_t)lm->vocab.n_words - 1);
  l->logp_bits = bits;
  l->backoff_bits = k < lm->order ? bits : 0;
  l->bits = l->word_bits + l->logp_bits + l->backoff_bits;
  l->n_record_bytes =
      (size_t)(((uint64_t)lm->level[k].n * l->bits + 7) / 8) + SNI_SMALL_PAD;
  SN_TRY(section(lm, named(name, "logp", k), 4, (size_t)1 << bits, &l->logp_of,
                 err));
  if (k < lm->order)
    SN_TRY(section(lm, named(name, "backoff", k), 4, (size_t)1 << bits,
                   &l->backoff_of, err));
  return section(lm, named(name, "records", k), 1, l->n_record_bytes,
                 &l->records, err);
}

static sn_status open_sections(sn_ngram *lm, sn_err *err) {
  lm->small = sn_calloc(1, sizeof *lm->small);
  if (lm->small == NULL) return sn_fail_nomem(err, "language model");
  SN_TRY(sni_lm_info_open(lm, err));
  SN_TRY(sni_lm_vocab_open(lm, err));
  const void *data = NULL;
  size_t n = 0;
  SN_TRY(sn_box_section(lm->box, "bits", 8, 0, &data, &n, err));
  const uint64_t *const bits = data;
  if (n != 1 || *bits < SN_NGRAM_SMALL_BITS_MIN ||
      *bits > SN_NGRAM_SMALL_BITS_MAX)
    return sn_fail(err, SN_EFORMAT, "%s: section 'bits' is not consistent",
                   lm->name);
  const size_t n_words = (size_t)lm->level[1].n;
  SN_TRY(section(lm, "logp.1", 4, n_words, &lm->level[1].logp, err));
  if (lm->order > 1)
    SN_TRY(section(lm, "backoff.1", 4, n_words, &lm->level[1].backoff, err));
  for (int32_t k = 1; k <= lm->order; k++) {
    if (k > 1) SN_TRY(open_records(lm, k, (unsigned)*bits, err));
    if (k < lm->order) SN_TRY(open_firsts(lm, k, err));
  }
  sni_ngram_finish(lm);
  return SN_OK;
}

sn_status sni_small_open(const char *path, sn_ngram **out, sn_err *err) {
  sn_ngram *lm = NULL;
  SN_TRY(sni_lm_new(path, &lm, err));
  sn_status s =
      sn_box_open(path, SNI_SMALL_MAGIC, SNI_SMALL_VERSION, &lm->box, err);
  if (s == SN_OK) s = open_sections(lm, err);
  if (s == SN_OK)
    *out = lm;
  else
    sn_ngram_destroy(lm);
  return s;
}

sn_status sni_small_open_memory(const void *data, size_t n, const char *name,
                                sn_ngram **out, sn_err *err) {
  sn_ngram *lm = NULL;
  SN_TRY(sni_lm_new(name, &lm, err));
  sn_status s = SN_OK;
  lm->box_memory = sn_calloc_aligned(n, 1);
  if (lm->box_memory == NULL) {
    s = sn_fail_nomem(err, "language model");
  } else {
    memcpy(lm->box_memory, data, n);
    s = sn_box_memory(lm->box_memory, n, name, SNI_SMALL_MAGIC,
                      SNI_SMALL_VERSION, &lm->box, err);
  }
  if (s == SN_OK) s = open_sections(lm, err);
  if (s == SN_OK)
    *out = lm;
  else
    sn_ngram_destroy(lm);
  return s;
}

/* ---- Verifying ---- */

static sn_status fail_level(const sn_ngram *lm, const char *what, int32_t k,
                            sn_err *err) {
  return sn_fail(err, SN_EFORMAT,
                 "%s: section '%s.%d' is not consistent; the file is damaged, "
                 "make it again",
                 lm->name, what, k);
}

static bool is_finite(const float *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(x[i])) return false;
  return true;
}

/* Children of level k's nodes: in order, all of the next level, words
 * ascending. */
static sn_status verify_children(const sn_ngram *lm, int32_t k, sn_err *err) {
  const sni_small_level *const l = &lm->small->level[k];
  const sni_small_level *const next = &lm->small->level[k + 1];
  const int64_t n = lm->level[k].n, n_next = lm->level[k + 1].n;
  const size_t n_blocks = ((size_t)n + 1) / SNI_SMALL_BLOCK + 1;
  for (size_t b = 0; b < n_blocks; b++)
    if (l->block[b + 1].at < l->block[b].at ||
        l->block[b + 1].at - l->block[b].at > 32)
      return fail_level(lm, "block", k, err);
  if (l->n_diff_bytes != (size_t)l->block[n_blocks].at * 16 + SNI_SMALL_PAD)
    return fail_level(lm, "first", k, err);
  int64_t at = 0;
  for (int64_t i = 0; i < n; i++) {
    const sn_ngram_state h = {k, i};
    int64_t begin, end;
    sni_small_children(lm, h, &begin, &end);
    if (begin != at) return fail_level(lm, "first", k, err);
    at = end;
    int64_t before = -1;
    for (int64_t c = begin; c < end; c++) {
      const int64_t word =
          sni_bits(next->records, (uint64_t)c * next->bits, next->word_bits);
      if (word <= before || word >= lm->vocab.n_words)
        return fail_level(lm, "records", k + 1, err);
      before = word;
    }
  }
  return at == n_next ? SN_OK : fail_level(lm, "first", k, err);
}

sn_status sni_small_verify(const sn_ngram *lm, sn_err *err) {
  SN_TRY(sni_lm_vocab_verify(lm, err));
  for (int32_t k = 1; k <= lm->order; k++) {
    const sni_small_level *const l = &lm->small->level[k];
    const size_t n =
        k == 1 ? (size_t)lm->level[1].n : (size_t)1 << l->logp_bits;
    if (!is_finite(k == 1 ? lm->level[1].logp : l->logp_of, n))
      return fail_level(lm, "logp", k, err);
    if (k == lm->order) break;
    if (!is_finite(k == 1 ? lm->level[1].backoff : l->backoff_of, n))
      return fail_level(lm, "backoff", k, err);
    SN_TRY(verify_children(lm, k, err));
  }
  return SN_OK;
}

/* ---- Back to a plain trie ---- */

/* All nodes of `level`, parents in order; words[] names the way to h. */
static sn_status add_level(sni_builder *b, const sn_ngram *lm, int32_t level,
                           sn_err *err) {
  int32_t words[SN_NGRAM_MAX_ORDER];
  sn_ngram_state at[SN_NGRAM_MAX_ORDER + 1] = {{0, 0}};
  int64_t next[SN_NGRAM_MAX_ORDER + 1], end[SN_NGRAM_MAX_ORDER + 1];
  int32_t k = 0; /* the walk goes through the children of at[k] */
  sni_small_children(lm, at[0], &next[0], &end[0]);
  for (;;) {
    if (next[k] >= end[k]) {
      if (k-- == 0) return SN_OK;
      continue;
    }
    const int64_t node = next[k]++;
    words[k] = sni_small_word(lm, k + 1, node);
    if (k + 1 == level) {
      SN_TRY(sni_builder_add(b, words, (float)sni_small_logp(lm, level, node),
                             (float)sni_small_backoff(lm, level, node), err));
      continue;
    }
    k++;
    at[k].level = k;
    at[k].node = node;
    sni_small_children(lm, at[k], &next[k], &end[k]);
  }
}

sn_status sni_ngram_plain(const sn_ngram *lm, sn_ngram **out, sn_err *err) {
  *out = NULL;
  if (lm->small == NULL) return SN_OK;
  sni_builder b = {0};
  sn_status s;
  SN_TRY_GOTO(s, sni_builder_init(&b, lm->name, lm->order, err));
  for (int32_t w = 0; w < lm->vocab.n_words; w++) {
    const char *const text = sn_ngram_word(lm, w);
    bool is_new;
    SN_TRY_GOTO(s, sni_builder_add_word(
                       &b, text, strlen(text), lm->level[1].logp[w],
                       (float)sni_small_backoff(lm, 1, w), &is_new, err));
  }
  SN_TRY_GOTO(s, sni_builder_end_level(&b, err));
  for (int32_t k = 2; k <= lm->order; k++) {
    SN_TRY_GOTO(s, add_level(&b, lm, k, err));
    s = sni_builder_end_level(&b, err);
    if (s == SN_EFORMAT) s = fail_level(lm, "records", k, err);
    if (s != SN_OK) goto fail;
  }
  s = sni_builder_take(&b, out, err);
fail:
  sni_builder_clear(&b);
  return s;
}
