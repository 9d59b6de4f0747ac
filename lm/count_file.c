/* SPDX-License-Identifier: Apache-2.0 */
/* Count files: a container (docs/lm.md) with the words and the n-grams sorted
 * by suffix. Reading trusts nothing: every id, the order of the n-grams, the
 * places of <s> and </s> and each count are checked. */
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "lm/classes.h"
#include "lm/count_internal.h"

#define N_INFO 4u /* order, words, sentences, words of the text */
/* Larger counts are refused, so that sums of many cannot overflow. */
#define MAX_COUNT (INT64_C(1) << 48)

/* ---- Writing ---- */

static sn_status write_words(sn_box_writer *w, const sn_symtab *words,
                             sn_err *err) {
  SN_TRY(sn_box_start(w, "words", 1, err));
  for (int32_t i = 0; i < sn_symtab_n(words); i++) {
    const char *const text = sn_symtab_get(words, i);
    SN_TRY(sn_box_append(w, text, strlen(text) + 1, err));
  }
  return SN_OK;
}

static sn_status write_all(sn_counts *c, sn_box_writer *w, int64_t *n,
                           sn_err *err) {
  const uint64_t info[N_INFO] = {
      (uint64_t)c->opts.order, (uint64_t)sn_symtab_n(c->words),
      (uint64_t)c->totals.n_sentences, (uint64_t)c->totals.n_words};
  SN_TRY(sn_box_add(w, "info", 8, info, N_INFO, err));
  SN_TRY(write_words(w, c->words, err));
  SN_TRY(sni_counts_finish(c, err));
  SN_TRY(sn_box_start(w, "ngrams", 4, err));
  for (*n = 0;; ++*n) {
    const uint32_t *record;
    SN_TRY(sni_sorter_next(&c->sorter, &record, err));
    if (record == NULL) break;
    SN_TRY(sn_box_append(w, record, c->sorter.width, err));
    if ((*n & 0xffff) != 0) continue;
    sn_log_progress(c->log, "writing", "n-grams", *n, 0, false);
    if (sn_log_cancelled(c->log))
      return sn_fail(err, SN_ECANCEL, "interrupted");
  }
  sn_log_progress(c->log, "writing", "n-grams", *n, *n, true);
  return sn_box_commit(w, err);
}

sn_status sn_counts_save(sn_counts *c, const char *path, int64_t *n_ngrams,
                         sn_err *err) {
  sn_box_writer *w = NULL;
  int64_t n = 0;
  SN_TRY(sn_box_create(path, SN_COUNT_MAGIC, SN_COUNT_VERSION, &w, err));
  const sn_status s = write_all(c, w, &n, err);
  sn_box_writer_destroy(w);
  if (n_ngrams != NULL) *n_ngrams = n;
  return s;
}

/* ---- Reading ---- */

typedef struct count_file {
  const char *name;
  sn_box *box;
  unsigned flags; /* of sn_box_section */
  int32_t order, n_words;
  sn_count_totals totals;
  uint32_t *map;   /* [n_words] ids there -> ids here */
  int32_t *member; /* [n_words] of the classes, or -1 */
  const uint32_t *ngrams;
  size_t n_ngrams;
} count_file;

static sn_status read_info(count_file *f, sn_err *err) {
  const void *data = NULL;
  size_t n = 0;
  SN_TRY(sn_box_section(f->box, "info", 8, f->flags, &data, &n, err));
  const uint64_t *const info = data;
  if (n != N_INFO || info[0] < 1 || info[0] > SN_NGRAM_MAX_ORDER ||
      info[1] < 3 || info[1] >= INT32_MAX || info[2] > INT64_MAX / 4 ||
      info[3] > INT64_MAX / 4)
    return sn_fail(err, SN_EFORMAT, "%s: section 'info' is not consistent",
                   f->name);
  f->order = (int32_t)info[0];
  f->n_words = (int32_t)info[1];
  f->totals.n_sentences = (int64_t)info[2];
  f->totals.n_words = (int64_t)info[3];
  return SN_OK;
}

static bool is_word(const char *s, size_t n) {
  size_t bad;
  if (n == 0 || !sn_utf8_valid(s, n, &bad)) return false;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)s[i] <= ' ' || s[i] == 127) return false;
  return true;
}

static sn_status map_words(sn_counts *c, count_file *f, sn_err *err) {
  const void *data = NULL;
  size_t n = 0;
  SN_TRY(sn_box_section(f->box, "words", 1, f->flags, &data, &n, err));
  const char *p = data;
  if ((size_t)f->n_words > n)
    return sn_fail(err, SN_EFORMAT, "%s: section 'words' is too short for %d",
                   f->name, f->n_words);
  f->map = sn_calloc((size_t)f->n_words, sizeof *f->map);
  f->member = sn_calloc((size_t)f->n_words, sizeof *f->member);
  if (f->map == NULL || f->member == NULL) return sn_fail_nomem(err, "words");
  for (int32_t i = 0; i < f->n_words; i++) {
    const char *const end = memchr(p, '\0', n);
    const size_t length = end != NULL ? (size_t)(end - p) : n;
    if (end == NULL || !is_word(p, length))
      return sn_fail(err, SN_EFORMAT, "%s: word %d is damaged", f->name, i);
    int32_t id = sn_symtab_find(c->words, p, length);
    if (i <= (int32_t)SNI_EOS ? id != i : id >= 0 && id <= (int32_t)SNI_EOS)
      return sn_fail(err, SN_EFORMAT,
                     "%s: word %d is '%.*s'; 0 to 2 are <unk>, <s>, </s>, and "
                     "no others",
                     f->name, i, (int)(length < 40 ? length : 40), p);
    sn_span word = {p, length};
    f->member[i] = sni_counts_member(c, &word);
    if (f->member[i] >= 0) id = sn_symtab_find(c->words, word.p, word.n);
    if (id < 0 && c->is_closed)
      id = (int32_t)SNI_UNK;
    else if (id < 0)
      SN_TRY(sn_symtab_add(c->words, word.p, word.n, &id, err));
    if (sn_symtab_n(c->words) == id + 1) c->vocab_bytes += (int64_t)word.n + 64;
    f->map[i] = (uint32_t)id;
    p = end + 1;
    n -= length + 1;
  }
  return SN_OK;
}

/* <s> at the beginning only, </s> at the end only, all ids known. */
static bool is_ngram(const count_file *f, const uint32_t *r) {
  const int32_t n = f->order;
  for (int32_t i = 0; i < n; i++) {
    if (r[i] >= (uint32_t)f->n_words) return false;
    if (r[i] == SNI_BOS && (i == n - 1 || (i > 0 && r[i - 1] != SNI_BOS)))
      return false;
    if (r[i] == SNI_EOS && i < n - 1) return false;
  }
  return true;
}

/* Whether a comes before b in order of suffixes. */
static bool is_before(const uint32_t *a, const uint32_t *b, int32_t n) {
  for (int32_t i = n - 1; i >= 0; i--)
    if (a[i] != b[i]) return a[i] < b[i];
  return false;
}

static sn_status add_ngrams(sn_counts *c, const count_file *f, sn_err *err) {
  const size_t width = (size_t)f->order + 2;
  const size_t skip = (size_t)(f->order - c->opts.order);
  uint32_t words[SN_NGRAM_MAX_ORDER];
  for (size_t i = 0; i < f->n_ngrams; i++) {
    const uint32_t *const r = f->ngrams + i * width;
    const int64_t count =
        (int64_t)((uint64_t)(r[f->order + 1] & INT32_MAX) << 32 | r[f->order]);
    if (!is_ngram(f, r) || count < 1 || count > MAX_COUNT ||
        (r[f->order + 1] & SNI_CUT_OFF) != 0 ||
        (i > 0 && !is_before(r - width, r, f->order)))
      return sn_fail(err, SN_EFORMAT,
                     "%s: section 'ngrams': n-gram %zu is damaged or out of "
                     "order",
                     f->name, i);
    for (size_t k = skip; k < (size_t)f->order; k++)
      words[k - skip] = f->map[r[k]];
    if (c->is_closed && words[c->opts.order - 1] == SNI_UNK &&
        r[f->order - 1] != SNI_UNK)
      c->n_outside += count;
    SN_TRY(sni_counts_add(c, words, count, err));
    const int32_t member = f->member[r[f->order - 1]];
    if (member >= 0) c->opts.classes->count.data[member] += count;
    if ((i & 0xffff) != 0) continue;
    sn_log_progress(c->log, "reading", "n-grams", (int64_t)i,
                    (int64_t)f->n_ngrams, false);
    if (sn_log_cancelled(c->log))
      return sn_fail(err, SN_ECANCEL, "%s: interrupted", f->name);
  }
  return SN_OK;
}

static sn_status add_box(sn_counts *c, count_file *f, sn_err *err) {
  const void *data = NULL;
  size_t n = 0;
  SN_ASSERT(!c->is_finished);
  SN_TRY(read_info(f, err));
  if (f->order < c->opts.order)
    return sn_fail(err, SN_EMISMATCH,
                   "%s has n-grams of order %d, --order=%d needs longer ones: "
                   "count the text again, or give a lower order",
                   f->name, f->order, c->opts.order);
  SN_TRY(sn_box_section(f->box, "ngrams", 4, f->flags, &data, &n, err));
  if (n % ((size_t)f->order + 2) != 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section 'ngrams' holds no whole number of n-grams",
                   f->name);
  f->ngrams = data;
  f->n_ngrams = n / ((size_t)f->order + 2);
  SN_TRY(map_words(c, f, err));
  SN_TRY(add_ngrams(c, f, err));
  c->totals.n_sentences += f->totals.n_sentences;
  c->totals.n_words += f->totals.n_words;
  return SN_OK;
}

static sn_status add_and_close(sn_counts *c, count_file *f, sn_err *err) {
  const sn_status s = add_box(c, f, err);
  sn_box_destroy(f->box);
  sn_free(f->map);
  sn_free(f->member);
  return s;
}

sn_status sn_counts_add_file(sn_counts *c, const char *path, sn_err *err) {
  count_file f = {.name = path};
  SN_TRY(sn_box_open(path, SN_COUNT_MAGIC, SN_COUNT_VERSION, &f.box, err));
  return add_and_close(c, &f, err);
}

sn_status sn_counts_add_memory(sn_counts *c, const void *data, size_t n,
                               const char *name, sn_err *err) {
  count_file f = {.name = name, .flags = SN_BOX_LAZY};
  SN_TRY(sn_box_memory(data, n, name, SN_COUNT_MAGIC, SN_COUNT_VERSION, &f.box,
                       err));
  return add_and_close(c, &f, err);
}

bool sn_counts_is_file(const char *path) {
  sn_reader *r = NULL;
  char magic[8] = {0};
  struct stat st;
  /* What is read from a pipe is gone. */
  if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
      sn_reader_open(path, &r, NULL) != SN_OK)
    return false;
  /* What is cut within its first bytes is no text: that has a line end. */
  size_t n = sizeof magic;
  if ((uint64_t)st.st_size < n) n = (size_t)st.st_size;
  const bool is_read = sn_read_bytes(r, magic, n, NULL) == SN_OK;
  sn_reader_destroy(r);
  return is_read && memcmp(magic, SN_COUNT_MAGIC, n) == 0;
}

sn_status sn_counts_file_order(const char *path, int32_t *order, sn_err *err) {
  count_file f = {.name = path};
  SN_TRY(sn_box_open(path, SN_COUNT_MAGIC, SN_COUNT_VERSION, &f.box, err));
  const sn_status s = read_info(&f, err);
  sn_box_destroy(f.box);
  *order = f.order;
  return s;
}
