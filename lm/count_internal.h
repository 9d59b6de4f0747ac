/* SPDX-License-Identifier: Apache-2.0 */
/* lm/count_internal.h - n-gram records: sorted within a limit of memory. */
#ifndef SN_LM_COUNT_INTERNAL_H
#define SN_LM_COUNT_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/log.h"
#include "base/status.h"
#include "lm/count.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A record: n_words ids, then two numbers of 32 bits, which are a count (low,
 * high) or what the owner says. */
#define SNI_RECORD_MAX (SN_NGRAM_MAX_ORDER + 2)
/* Top bit of a count's high half: the n-gram is below its cut-off. */
#define SNI_CUT_OFF UINT32_C(0x80000000)

static inline int64_t sni_count_get(const uint32_t *numbers) {
  return (int64_t)((uint64_t)(numbers[1] & ~SNI_CUT_OFF) << 32 | numbers[0]);
}
static inline void sni_count_set(uint32_t *numbers, int64_t count) {
  numbers[0] = (uint32_t)((uint64_t)count & UINT32_MAX);
  numbers[1] = (uint32_t)((uint64_t)count >> 32);
}

/* ---- Temporary files: without a name as soon as they exist, so that nothing
 * is left behind however a run ends ---- */
typedef struct sni_temp {
  int fd; /* -1: not made yet */
  const char *dir;
  int64_t size;
  uint32_t *buffer; /* being written */
  size_t n_buffer;
} sni_temp;
SN_NODISCARD sn_status sni_temp_write(sni_temp *t, const uint32_t *data,
                                      size_t n, sn_err *err);
SN_NODISCARD sn_status sni_temp_flush(sni_temp *t, sn_err *err);
SN_NODISCARD sn_status sni_temp_read(const sni_temp *t, int64_t at_bytes,
                                     uint32_t *data, size_t n, sn_err *err);
void sni_temp_clear(sni_temp *t);

/* ---- External merge sort ---- */
typedef struct sni_run {
  int64_t at_bytes, n; /* in the file; records */
  uint32_t *buffer;    /* while it is merged: [cap] records */
  size_t n_buffer, next;
  int64_t n_read;
} sni_run;

/* suffix: by the last word first, then the one before it, ...
 * context: by the last word but one, ..., the first, and then the last. */
typedef enum sni_sort_order { SNI_BY_SUFFIX, SNI_BY_CONTEXT } sni_sort_order;

/* Zeroed before init; clear in any case. Push, finish, next. */
typedef struct sni_sorter {
  int32_t n_words;
  size_t width;                    /* 32-bit numbers in a record */
  uint8_t key[SN_NGRAM_MAX_ORDER]; /* positions, what counts most first */
  size_t limit;                    /* records held in memory */
  uint32_t max_id;                 /* seen so far */
  uint32_t *data;                  /* [cap * width] */
  size_t n, cap, next;
  sni_temp temp;
  SN_ARR(sni_run) runs;
  SN_ARR(uint32_t) heap; /* runs by their first record */
  size_t buffer_records; /* for each run when merging */
  uint32_t current[SNI_RECORD_MAX];
  int64_t n_spilled_runs; /* for reports */
} sni_sorter;

void sni_sorter_init(sni_sorter *s, int32_t n_words, sni_sort_order order,
                     size_t limit_bytes, const char *temp_dir);
void sni_sorter_clear(sni_sorter *s);
void sni_sorter_set_order(sni_sorter *s, sni_sort_order order);
/* Room for a record, which becomes the last one: its place. May spill. */
SN_NODISCARD sn_status sni_sorter_push(sni_sorter *s, uint32_t **place,
                                       sn_err *err);
/* Sorts what is in memory and writes it out as a run. */
SN_NODISCARD sn_status sni_sorter_spill(sni_sorter *s, sn_err *err);
/* Sorts; in memory when nothing was spilled. */
SN_NODISCARD sn_status sni_sorter_finish(sni_sorter *s, sn_log *log,
                                         sn_err *err);
/* The next record or NULL at the end. Counts of equal records are added. Valid
 * until the next call. */
SN_NODISCARD sn_status sni_sorter_next(sni_sorter *s, const uint32_t **record,
                                       sn_err *err);

/* ---- A sequence of records, written once and read from its start any number
 * of times: in memory over a sorter's array, or in a file ---- */
typedef struct sni_spool {
  size_t width;
  uint32_t *data; /* in memory; owned */
  sni_temp temp;
  int64_t n;
  bool in_file;
  int64_t at; /* reading */
  uint32_t *buffer;
  size_t n_buffer, next;
} sni_spool;
SN_NODISCARD sn_status sni_spool_push(sni_spool *s, const uint32_t *record,
                                      sn_err *err);
SN_NODISCARD sn_status sni_spool_rewind(sni_spool *s, sn_err *err);
SN_NODISCARD sn_status sni_spool_next(sni_spool *s, const uint32_t **record,
                                      sn_err *err);
void sni_spool_clear(sni_spool *s);

/* ---- Counts, from inside ---- */
#define SNI_UNK 0u
#define SNI_BOS 1u
#define SNI_EOS 2u

struct sn_counts {
  sn_count_opts opts;
  sn_log *log;
  sn_symtab *words;
  int64_t vocab_bytes;
  bool is_closed; /* words outside the vocabulary are <unk> */
  int64_t n_outside;
  sn_count_totals totals;
  sni_sorter sorter; /* its array is also the hash table's */
  uint64_t *slots;   /* hash in the upper half, record + 1 in the lower */
  size_t n_slots;
  SN_ARR(uint32_t) ids; /* of a sentence */
  bool is_finished;
};
/* Adds `count` occurrences of the opts.order words. */
SN_NODISCARD sn_status sni_counts_add(sn_counts *c, const uint32_t *words,
                                      int64_t count, sn_err *err);
/* No more is added; the sorter delivers the n-grams by suffix. */
/* Where opts.classes has the word, *word becomes its class's name and its
 * number there is returned; else -1. */
int32_t sni_counts_member(const sn_counts *c, sn_span *word);
SN_NODISCARD sn_status sni_counts_finish(sn_counts *c, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
