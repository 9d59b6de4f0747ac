/* SPDX-License-Identifier: Apache-2.0 */
/* The own binary language model: the trie's arrays as they are in memory, as
 * sections of a container (base/io.h), mapped when opened.
 *
 * Opening reads the header, the section table, "info" and the vocabulary
 * (2 MB for 72,547 words), whose checksums it verifies; the n-grams' arrays
 * are left alone until sn_ngram_verify or a query. docs/lm.md has every
 * byte. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "lm/ngram_internal.h"

#define N_INFO_MIN 3u /* order, number of words, one count */

typedef char section_name[24]; /* of which the container takes 15 bytes */

static const char *level_section(section_name out, const char *what,
                                 int32_t level) {
  snprintf(out, sizeof(section_name), "%s.%d", what, level);
  return out;
}

/* ---- Writing ---- */

static sn_status write_level(sn_box_writer *w, const sn_ngram *lm, int32_t k,
                             sn_err *err) {
  const sni_level *const l = &lm->level[k];
  const size_t n = (size_t)l->n;
  section_name name;
  SN_TRY(sn_box_add(w, level_section(name, "logp", k), 4, l->logp, n, err));
  if (k > 1) {
    SN_TRY(sn_box_add(w, level_section(name, "word", k), 4, l->word, n, err));
    SN_TRY(
        sn_box_add(w, level_section(name, "suffix", k), 4, l->suffix, n, err));
  }
  if (k < lm->order) {
    SN_TRY(sn_box_add(w, level_section(name, "backoff", k), 4, l->backoff, n,
                      err));
    SN_TRY(sn_box_add(w, level_section(name, "first", k), 4, l->first, n + 1,
                      err));
  }
  return SN_OK;
}

sn_status sni_lm_vocab_add(sn_box_writer *w, const sni_vocab *v, sn_err *err) {
  SN_TRY(sn_box_add(w, "words", 1, v->text, v->n_text_bytes, err));
  SN_TRY(sn_box_add(w, "word-at", 4, v->at, (size_t)v->n_words, err));
  return sn_box_add(w, "word-hash", 4, v->slot, (size_t)v->mask + 1, err);
}

static sn_status write_all(sn_box_writer *w, const sn_ngram *lm, bool is_fast,
                           sn_log *log, sn_err *err) {
  uint64_t info[2 + SN_NGRAM_MAX_ORDER];
  info[0] = (uint64_t)lm->order;
  info[1] = (uint64_t)lm->vocab.n_words;
  for (int32_t k = 1; k <= lm->order; k++)
    info[1 + k] = (uint64_t)lm->level[k].n;
  SN_TRY(sn_box_add(w, "info", 8, info, 2 + (size_t)lm->order, err));
  SN_TRY(sni_lm_vocab_add(w, &lm->vocab, err));
  for (int32_t k = 1; k <= lm->order; k++) {
    SN_TRY(write_level(w, lm, k, err));
    sn_log_progress(log, "writing", "orders", k, lm->order, k == lm->order);
  }
  if (is_fast) SN_TRY(sni_fast_add(w, lm, err));
  return sn_box_commit(w, err);
}

sn_status sni_lm_binary_write(const sn_ngram *lm, const char *path,
                              bool is_fast, sn_log *log, sn_err *err) {
  sn_box_writer *w = NULL;
  SN_TRY(sn_box_create(path, SN_NGRAM_MAGIC, SN_NGRAM_VERSION, &w, err));
  const sn_status s = write_all(w, lm, is_fast, log, err);
  sn_box_writer_destroy(w);
  return s;
}

/* ---- Opening ---- */

/* A section of exactly n elements of 4 bytes, checksum left for later. */
static sn_status level_array(sn_ngram *lm, const char *what, int32_t level,
                             size_t n, const void **data, sn_err *err) {
  section_name name;
  size_t got = 0;
  level_section(name, what, level);
  SN_TRY(sn_box_section(lm->box, name, 4, SN_BOX_LAZY, data, &got, err));
  if (got != n)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section '%s' has %zu elements, 'info' asks for %zu",
                   lm->name, name, got, n);
  return SN_OK;
}

static sn_status open_level(sn_ngram *lm, int32_t k, sn_err *err) {
  sni_level *const l = &lm->level[k];
  const size_t n = (size_t)l->n;
  const void *p = NULL;
  SN_TRY(level_array(lm, "logp", k, n, &p, err));
  l->logp = p;
  if (k > 1) {
    SN_TRY(level_array(lm, "word", k, n, &p, err));
    l->word = p;
    SN_TRY(level_array(lm, "suffix", k, n, &p, err));
    l->suffix = p;
  }
  if (k < lm->order) {
    SN_TRY(level_array(lm, "backoff", k, n, &p, err));
    l->backoff = p;
    SN_TRY(level_array(lm, "first", k, n + 1, &p, err));
    l->first = p;
  }
  return SN_OK;
}

sn_status sni_lm_info_open(sn_ngram *lm, sn_err *err) {
  const void *data = NULL;
  size_t n = 0;
  SN_TRY(sn_box_section(lm->box, "info", 8, 0, &data, &n, err));
  const uint64_t *const info = data;
  if (n < N_INFO_MIN || info[0] < 1 || info[0] > SN_NGRAM_MAX_ORDER ||
      n != 2 + info[0])
    return sn_fail(err, SN_EFORMAT, "%s: section 'info' is not consistent",
                   lm->name);
  lm->order = (int32_t)info[0];
  uint64_t n_all = 1;
  for (int32_t k = 1; k <= lm->order; k++) {
    const uint64_t count = info[1 + k];
    if (count >= UINT32_MAX - n_all)
      return sn_fail(err, SN_EFORMAT, "%s: %llu %d-grams are too many",
                     lm->name, (unsigned long long)count, k);
    n_all += count;
    lm->level[k].n = (int64_t)count;
  }
  if (info[1] != info[2] || info[1] == 0 || info[1] > INT32_MAX)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section 'info': %llu words, %llu 1-grams", lm->name,
                   (unsigned long long)info[1], (unsigned long long)info[2]);
  return SN_OK;
}

sn_status sni_lm_vocab_open(sn_ngram *lm, sn_err *err) {
  sni_vocab *const v = &lm->vocab;
  const void *p = NULL;
  size_t n = 0;
  SN_TRY(sn_box_section(lm->box, "words", 1, 0, &p, &n, err));
  v->text = p;
  v->n_text_bytes = n;
  if (n == 0 || v->text[n - 1] != '\0')
    return sn_fail(err, SN_EFORMAT, "%s: section 'words' does not end in NUL",
                   lm->name);
  SN_TRY(sn_box_section(lm->box, "word-at", 4, 0, &p, &n, err));
  v->at = p;
  if (n != (size_t)lm->level[1].n)
    return sn_fail(err, SN_EFORMAT, "%s: section 'word-at' has %zu elements",
                   lm->name, n);
  v->n_words = (int32_t)n;
  SN_TRY(sn_box_section(lm->box, "word-hash", 4, 0, &p, &n, err));
  v->slot = p;
  if (n == 0 || (n & (n - 1)) != 0 || n > UINT32_MAX)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section 'word-hash' has %zu elements, not a power of 2",
                   lm->name, n);
  v->mask = (uint32_t)(n - 1);
  return SN_OK;
}

static sn_status open_sections(sn_ngram *lm, sn_err *err) {
  SN_TRY(sni_lm_info_open(lm, err));
  SN_TRY(sni_lm_vocab_open(lm, err));
  for (int32_t k = 1; k <= lm->order; k++) SN_TRY(open_level(lm, k, err));
  sni_ngram_finish(lm);
  return sni_fast_open(lm, err);
}

sn_status sni_lm_new(const char *name, sn_ngram **out, sn_err *err) {
  *out = sn_calloc(1, sizeof **out);
  if (*out == NULL) return sn_fail_nomem(err, "language model");
  (*out)->name = sn_strdup(name);
  if ((*out)->name != NULL) return SN_OK;
  sn_ngram_destroy(*out);
  *out = NULL;
  return sn_fail_nomem(err, "language model");
}

sn_status sni_lm_binary_open(const char *path, sn_ngram **out, sn_err *err) {
  sn_ngram *lm = NULL;
  SN_TRY(sni_lm_new(path, &lm, err));
  sn_status s;
  SN_TRY_GOTO(
      s, sn_box_open(path, SN_NGRAM_MAGIC, SN_NGRAM_VERSION, &lm->box, err));
  SN_TRY_GOTO(s, open_sections(lm, err));
  *out = lm;
  return SN_OK;
fail:
  sn_ngram_destroy(lm);
  return s;
}

sn_status sni_lm_binary_open_memory(const void *data, size_t n,
                                    const char *name, sn_ngram **out,
                                    sn_err *err) {
  sn_ngram *lm = NULL;
  SN_TRY(sni_lm_new(name, &lm, err));
  sn_status s = SN_OK;
  lm->box_memory = sn_calloc_aligned(n, 1);
  if (lm->box_memory == NULL) {
    s = sn_fail_nomem(err, "language model");
    goto fail;
  }
  memcpy(lm->box_memory, data, n);
  SN_TRY_GOTO(s, sn_box_memory(lm->box_memory, n, name, SN_NGRAM_MAGIC,
                               SN_NGRAM_VERSION, &lm->box, err));
  SN_TRY_GOTO(s, open_sections(lm, err));
  *out = lm;
  return SN_OK;
fail:
  sn_ngram_destroy(lm);
  return s;
}

/* ---- Verifying ---- */

static sn_status fail_section(const sn_ngram *lm, const char *what, int32_t k,
                              int64_t i, sn_err *err) {
  return sn_fail(err, SN_EFORMAT,
                 "%s: section '%s.%d', element %lld is out of range; the file "
                 "is damaged, make it again",
                 lm->name, what, k, (long long)i);
}

sn_status sni_lm_vocab_verify(const sn_ngram *lm, sn_err *err) {
  for (int32_t w = 0; w < lm->vocab.n_words; w++) {
    const char *const text = sn_ngram_word(lm, w);
    if (sni_vocab_find(&lm->vocab, text, strlen(text)) != w)
      return sn_fail(err, SN_EFORMAT,
                     "%s: section 'word-hash' does not find word %d", lm->name,
                     w);
  }
  return SN_OK;
}

static sn_status verify_level(const sn_ngram *lm, int32_t k, sn_err *err) {
  const sni_level *const l = &lm->level[k];
  for (int64_t i = 0; i < l->n; i++) {
    if (!isfinite(l->logp[i])) return fail_section(lm, "logp", k, i, err);
    if (l->backoff != NULL && !isfinite(l->backoff[i]))
      return fail_section(lm, "backoff", k, i, err);
  }
  if (k > 1) {
    const sni_level *const up = &lm->level[k - 1];
    if (up->first[0] != 0) return fail_section(lm, "first", k - 1, 0, err);
    for (int64_t p = 0; p < up->n; p++) {
      if (up->first[p + 1] < up->first[p] || up->first[p + 1] > l->n)
        return fail_section(lm, "first", k - 1, p + 1, err);
      int32_t before = -1;
      for (int64_t i = up->first[p]; i < up->first[p + 1]; i++) {
        if (l->word[i] <= before || l->word[i] >= lm->vocab.n_words)
          return fail_section(lm, "word", k, i, err);
        before = l->word[i];
      }
    }
    if (up->first[up->n] != l->n)
      return fail_section(lm, "first", k - 1, up->n, err);
    for (int64_t i = 0; i < l->n; i++)
      if (l->suffix[i] == 0 || l->suffix[i] >= lm->base[k])
        return fail_section(lm, "suffix", k, i, err);
  }
  return SN_OK;
}

sn_status sn_ngram_verify(const sn_ngram *lm, sn_err *err) {
  if (lm->box == NULL) return SN_OK;
  SN_TRY(sn_box_check(lm->box, err));
  if (lm->small != NULL) return sni_small_verify(lm, err);
  SN_TRY(sni_lm_vocab_verify(lm, err));
  for (int32_t k = 1; k <= lm->order; k++) SN_TRY(verify_level(lm, k, err));
  return lm->fast != NULL ? sni_fast_verify(lm, err) : SN_OK;
}
