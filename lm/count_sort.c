/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting n-gram records, in memory and out of it.
 *
 * In memory: most significant byte first, in place ("American flag sort",
 * McIlroy, Bostic, McIlroy 1993), insertion sort for few records. Ids are
 * dense, so a word has as few bytes as the largest id needs; a record moves
 * about once for each byte that still tells records apart.
 * Out of memory: runs of sorted records in one file, merged through a binary
 * heap, at most MAX_FAN_IN at a time (more are merged in several passes). */
#include <string.h>

#include "base/mem.h"
#include "lm/count_internal.h"

#define FEW_RECORDS 24u
#define MAX_FAN_IN 128u
#define MIN_RECORDS 64u /* in memory, however small the limit */

void sni_sorter_set_order(sni_sorter *s, sni_sort_order order) {
  const int32_t n = s->n_words;
  const int32_t shift = order == SNI_BY_CONTEXT ? 1 : 0;
  for (int32_t i = 0; i < n; i++)
    s->key[i] = (uint8_t)((2 * n - 1 - i - shift) % n);
}

void sni_sorter_init(sni_sorter *s, int32_t n_words, sni_sort_order order,
                     size_t limit_bytes, const char *temp_dir) {
  SN_ASSERT(n_words >= 1 && n_words <= SN_NGRAM_MAX_ORDER);
  memset(s, 0, sizeof *s);
  s->n_words = n_words;
  s->width = (size_t)n_words + 2;
  s->limit = limit_bytes / (s->width * sizeof(uint32_t));
  if (s->limit < MIN_RECORDS) s->limit = MIN_RECORDS;
  s->temp.fd = -1;
  s->temp.dir = temp_dir;
  sni_sorter_set_order(s, order);
}

static void free_buffers(sni_sorter *s) {
  for (size_t i = 0; i < s->runs.n; i++) {
    sn_free(s->runs.data[i].buffer);
    s->runs.data[i].buffer = NULL;
  }
}

void sni_sorter_clear(sni_sorter *s) {
  free_buffers(s);
  SN_ARR_FREE(&s->runs);
  SN_ARR_FREE(&s->heap);
  sn_free(s->data);
  s->data = NULL;
  s->n = s->cap = 0;
  sni_temp_clear(&s->temp);
}

/* ---- In memory ---- */

static int compare(const sni_sorter *s, const uint32_t *a, const uint32_t *b) {
  for (int32_t i = 0; i < s->n_words; i++) {
    const uint32_t x = a[s->key[i]], y = b[s->key[i]];
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

static void copy(uint32_t *to, const uint32_t *from, size_t width) {
  for (size_t i = 0; i < width; i++) to[i] = from[i];
}

static void sort_few(const sni_sorter *s, uint32_t *data, size_t n) {
  const size_t w = s->width;
  uint32_t held[SNI_RECORD_MAX];
  for (size_t i = 1; i < n; i++) {
    if (compare(s, data + (i - 1) * w, data + i * w) <= 0) continue;
    copy(held, data + i * w, w);
    size_t j = i;
    for (; j > 0 && compare(s, held, data + (j - 1) * w) < 0; j--)
      copy(data + j * w, data + (j - 1) * w, w);
    copy(data + j * w, held, w);
  }
}

static void swap(uint32_t *a, uint32_t *b, size_t width) {
  for (size_t i = 0; i < width; i++) {
    const uint32_t t = a[i];
    a[i] = b[i];
    b[i] = t;
  }
}

/* By digit `d` and those after it; digits of the key are numbered from the
 * most significant one. Depth: the number of digits, 64 at most. */
static void sort_digit(const sni_sorter *s, uint32_t *data, size_t n, int32_t d,
                       int32_t n_bytes) {
  const size_t w = s->width;
  uint32_t end[256], at[256];
  for (; d < s->n_words * n_bytes; d++) {
    if (n <= FEW_RECORDS) {
      sort_few(s, data, n);
      return;
    }
    const uint32_t *const column = data + s->key[d / n_bytes];
    const int32_t shift = 8 * (n_bytes - 1 - d % n_bytes);
    memset(end, 0, sizeof end);
    for (size_t i = 0; i < n; i++) end[column[i * w] >> shift & 255]++;
    if (end[column[0] >> shift & 255] == n) continue; /* tells nothing */
    uint32_t sum = 0;
    for (int b = 0; b < 256; b++) {
      at[b] = sum;
      sum += end[b];
      end[b] = sum;
    }
    for (uint32_t b = 0; b < 256; b++)
      while (at[b] < end[b]) {
        const uint32_t digit = column[at[b] * w] >> shift & 255;
        if (digit != b)
          swap(data + at[b] * w, data + at[digit]++ * w, w);
        else
          at[b]++;
      }
    for (uint32_t b = 0, first = 0; b < 256; first = end[b++])
      if (end[b] - first > 1)
        sort_digit(s, data + first * w, end[b] - first, d + 1, n_bytes);
    return;
  }
}

static void sort_memory(sni_sorter *s) {
  int32_t n_bytes = 1;
  while (n_bytes < 4 && s->max_id >> (8 * n_bytes) != 0) n_bytes++;
  if (s->n > 1) sort_digit(s, s->data, s->n, 0, n_bytes);
}

sn_status sni_sorter_push(sni_sorter *s, uint32_t **place, sn_err *err) {
  if (s->n == s->limit) SN_TRY(sni_sorter_spill(s, err));
  if (s->n == s->cap) {
    size_t cap = s->cap + s->cap / 2 + MIN_RECORDS;
    if (cap > s->limit) cap = s->limit;
    uint32_t *const data = sn_realloc(s->data, cap, s->width * sizeof *data);
    if (data == NULL) return sn_fail_nomem(err, "n-grams; give less --memory");
    s->data = data;
    s->cap = cap;
  }
  *place = s->data + s->n++ * s->width;
  return SN_OK;
}

/* ---- Runs ---- */

static sn_status write_run(sni_sorter *s, const uint32_t *data, size_t n,
                           sn_err *err) {
  sni_run run = {.at_bytes = s->temp.size, .n = (int64_t)n};
  SN_TRY(sni_temp_write(&s->temp, data, n * s->width, err));
  s->n_spilled_runs++;
  return SN_ARR_PUSH(&s->runs, run, err);
}

sn_status sni_sorter_spill(sni_sorter *s, sn_err *err) {
  if (s->n == 0) return SN_OK;
  sort_memory(s);
  SN_TRY(write_run(s, s->data, s->n, err));
  s->n = 0;
  return SN_OK;
}

/* The first record of the run that is not taken, or NULL. */
static sn_status refill(const sni_sorter *s, sni_run *r, sn_err *err) {
  if (r->next < r->n_buffer || r->n_read == r->n) return SN_OK;
  const int64_t left = r->n - r->n_read;
  r->n_buffer =
      left < (int64_t)s->buffer_records ? (size_t)left : s->buffer_records;
  r->next = 0;
  SN_TRY(sni_temp_read(
      &s->temp,
      r->at_bytes + r->n_read * (int64_t)(s->width * sizeof(uint32_t)),
      r->buffer, r->n_buffer * s->width, err));
  r->n_read += (int64_t)r->n_buffer;
  return SN_OK;
}

static const uint32_t *head_of(const sni_sorter *s, size_t run) {
  const sni_run *const r = &s->runs.data[run];
  return r->buffer + r->next * s->width;
}

static void sift_down(sni_sorter *s, size_t i) {
  uint32_t *const h = s->heap.data;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= s->heap.n) return;
    if (child + 1 < s->heap.n &&
        compare(s, head_of(s, h[child + 1]), head_of(s, h[child])) < 0)
      child++;
    if (compare(s, head_of(s, h[i]), head_of(s, h[child])) <= 0) return;
    const uint32_t t = h[i];
    h[i] = h[child];
    h[child] = t;
    i = child;
  }
}

/* Heap over runs [first, first + n). */
static sn_status begin_merge(sni_sorter *s, size_t first, size_t n,
                             sn_err *err) {
  s->buffer_records = s->limit / (n + 1);
  if (s->buffer_records < 8) s->buffer_records = 8;
  if (s->buffer_records > 65536) s->buffer_records = 65536;
  s->heap.n = 0;
  SN_TRY(SN_ARR_RESERVE(&s->heap, n, err));
  for (size_t i = first; i < first + n; i++) {
    sni_run *const r = &s->runs.data[i];
    r->buffer = sn_realloc(NULL, s->buffer_records, s->width * 4);
    if (r->buffer == NULL) return sn_fail_nomem(err, "merging n-grams");
    SN_TRY(refill(s, r, err));
    s->heap.data[s->heap.n++] = (uint32_t)i;
  }
  for (size_t i = n / 2; i-- > 0;) sift_down(s, i);
  return SN_OK;
}

static sn_status drop_head(sni_sorter *s, sn_err *err) {
  sni_run *const r = &s->runs.data[s->heap.data[0]];
  r->next++;
  SN_TRY(refill(s, r, err));
  if (r->next == r->n_buffer) s->heap.data[0] = s->heap.data[--s->heap.n];
  sift_down(s, 0);
  return SN_OK;
}

static sn_status merged_next(sni_sorter *s, const uint32_t **record,
                             sn_err *err) {
  *record = NULL;
  if (s->heap.n == 0) return SN_OK;
  copy(s->current, head_of(s, s->heap.data[0]), s->width);
  *record = s->current;
  uint32_t *const numbers = s->current + s->n_words;
  for (;;) {
    SN_TRY(drop_head(s, err));
    if (s->heap.n == 0) return SN_OK;
    const uint32_t *const head = head_of(s, s->heap.data[0]);
    if (compare(s, head, s->current) != 0) return SN_OK;
    sni_count_set(numbers,
                  sni_count_get(numbers) + sni_count_get(head + s->n_words));
  }
}

/* Every MAX_FAN_IN runs become one, in a new file. */
static sn_status merge_pass(sni_sorter *s, sn_log *log, sn_err *err) {
  sni_temp to = {.fd = -1, .dir = s->temp.dir};
  size_t n_out = 0;
  const size_t n_runs = s->runs.n;
  sn_status st = SN_OK;
  for (size_t first = 0; first < n_runs; first += MAX_FAN_IN) {
    const size_t n = n_runs - first < MAX_FAN_IN ? n_runs - first : MAX_FAN_IN;
    sni_run run = {.at_bytes = to.size};
    SN_TRY_GOTO(st, begin_merge(s, first, n, err));
    for (;;) {
      const uint32_t *record;
      SN_TRY_GOTO(st, merged_next(s, &record, err));
      if (record == NULL) break;
      SN_TRY_GOTO(st, sni_temp_write(&to, record, s->width, err));
      if ((++run.n & 0xffff) == 0 && sn_log_cancelled(log))
        SN_TRY_GOTO(st, sn_fail(err, SN_ECANCEL, "sorting: interrupted"));
    }
    for (size_t i = first; i < first + n; i++) {
      sn_free(s->runs.data[i].buffer);
      s->runs.data[i].buffer = NULL;
    }
    s->runs.data[n_out++] = run;
  }
  SN_TRY_GOTO(st, sni_temp_flush(&to, err));
  s->runs.n = n_out;
  sni_temp_clear(&s->temp);
  s->temp = to;
  return SN_OK;
fail:
  sni_temp_clear(&to);
  return st;
}

sn_status sni_sorter_finish(sni_sorter *s, sn_log *log, sn_err *err) {
  s->next = 0;
  if (s->runs.n == 0) {
    sort_memory(s);
    return SN_OK;
  }
  SN_TRY(sni_sorter_spill(s, err));
  SN_TRY(sni_temp_flush(&s->temp, err));
  sn_free(s->data);
  s->data = NULL;
  s->cap = 0;
  while (s->runs.n > MAX_FAN_IN) SN_TRY(merge_pass(s, log, err));
  return begin_merge(s, 0, s->runs.n, err);
}

sn_status sni_sorter_next(sni_sorter *s, const uint32_t **record, sn_err *err) {
  if (s->runs.n > 0) return merged_next(s, record, err);
  *record = s->next < s->n ? s->data + s->next++ * s->width : NULL;
  return SN_OK;
}
