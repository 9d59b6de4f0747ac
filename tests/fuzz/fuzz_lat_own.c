/* SPDX-License-Identifier: Apache-2.0 */
/* Senone's archives of lattices. Checksums would stop nearly every input at the
 * door, so each one is tried as it is and with all of them put right. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_align.h"
#include "decoder/lat_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an archive keeps beside its lattices, used as it comes. */
static void use_alignment(const sn_lat_reader *in, sn_lat_clock *clock,
                          const char *key, const sn_lat *l) {
  const sn_lat_scales k = {1, 1, 0};
  const char *const labels = sn_lat_reader_meta(in, SN_LAT_META_LABELS);
  sn_lat_path p = {0};
  sn_arr_i32 begin = {0}, end = {0};
  bool found = false;
  if (clock != NULL && sn_lat_clock_set(clock, key, NULL) == SN_OK)
    SN_ASSERT(!(sn_lat_clock_end_s(clock, 3) < 0));
  if (labels != NULL && sn_lat_best(l, &k, &p, NULL) == SN_OK &&
      sn_lat_word_times(labels, &p, &begin, &end, &found, NULL) == SN_OK)
    SN_ASSERT(begin.n == (found ? p.words.n : 0) && end.n == begin.n);
  sn_lat_path_clear(&p);
  SN_ARR_FREE(&begin);
  SN_ARR_FREE(&end);
}

static void try_read(const uint8_t *bytes, size_t n) {
  sn_lat_reader *in = NULL;
  sn_lat_words *words = NULL;
  sn_err err = {0};
  sn_status s = sn_lat_reader_memory(bytes, n, "fuzz", &in, &err);
  if (s == SN_OK) s = sn_lat_words_create(&words, &err);
  if (s == SN_OK) s = sn_lat_reader_set_words(in, words, &err);
  sn_lat_clock *clock = NULL;
  if (s == SN_OK) {
    const char *const times = sn_lat_reader_meta(in, SN_LAT_META_TIMES);
    if (sn_lat_clock_create(times, 0.01, &clock, NULL) != SN_OK) clock = NULL;
    const char *value;
    for (size_t i = 0; sn_lat_reader_meta_at(in, i, &value) != NULL; i++)
      SN_ASSERT(value != NULL);
    (void)sn_lat_reader_seek(in, "none");
  }
  while (s == SN_OK) {
    const char *key;
    sn_lat l;
    s = sn_lat_next(in, &key, &l, &err);
    if (s != SN_OK || key == NULL) break;
    SN_ASSERT(sn_lat_check(&l, &err) == SN_OK);
    use_alignment(in, clock, key, &l);
    sn_lat_clear(&l);
  }
  sn_lat_clock_destroy(clock);
  sn_lat_reader_destroy(in);
  sn_lat_words_destroy(words);
}

/* A section table's entry: docs/formats.md. */
typedef struct entry {
  char name[16];
  uint64_t offset, size;
  uint32_t crc, elem_size;
} entry;

static bool inside(uint64_t offset, uint64_t n, size_t size) {
  return offset <= size && n <= size - offset;
}

/* Checksums of the blocks, then of the sections, then of the table. */
static void repair(uint8_t *p, size_t size) {
  uint64_t table;
  uint32_t n;
  entry e, blocks = {.size = 0};
  memcpy(&table, p + 24, 8);
  memcpy(&n, p + 32, 4);
  if (table < 64 || !inside(table, (uint64_t)n * sizeof e, size)) return;
  for (uint32_t i = 0; i < n; i++) {
    memcpy(&e, p + table + i * sizeof e, sizeof e);
    if (memcmp(e.name, "blocks", 7) == 0 && inside(e.offset, e.size, size))
      blocks = e;
  }
  for (uint32_t i = 0; i < n; i++) {
    memcpy(&e, p + table + i * sizeof e, sizeof e);
    if (!inside(e.offset, e.size, size)) continue;
    const bool is_index = memcmp(e.name, "index", 6) == 0;
    for (uint64_t at = 0; is_index && at + 24 <= e.size && at < 4096;
         at += 24) {
      uint64_t x[2];
      memcpy(x, p + e.offset + at, 16);
      if (!inside(x[0], x[1], (size_t)blocks.size)) continue;
      const uint32_t crc = sn_crc32(0, p + blocks.offset + x[0], (size_t)x[1]);
      memcpy(p + e.offset + at + 20, &crc, 4);
    }
    e.crc = sn_crc32(0, p + e.offset, (size_t)e.size);
    memcpy(p + table + i * sizeof e, &e, sizeof e);
  }
  memset(p + 60, 0, 4);
  uint32_t crc = sn_crc32(0, p, 64);
  crc = sn_crc32(crc, p + table, size - (size_t)table);
  memcpy(p + 60, &crc, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *const copy = sn_calloc(size + 1, 1); /* aligned */
  if (copy == NULL) return 0;
  if (size > 0) memcpy(copy, data, size);
  try_read(copy, size);
  if (size >= 64) {
    memcpy(copy, "SNLATS\0\0\1\0\0\0\4\3\2\1", 16);
    const uint64_t n = size;
    memcpy(copy + 16, &n, 8);
    repair(copy, size);
    try_read(copy, size);
  }
  sn_free(copy);
  return 0;
}
