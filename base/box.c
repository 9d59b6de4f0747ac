/* SPDX-License-Identifier: Apache-2.0 */
/* The container of Senone's binary files: see io.h, and docs/formats.md for
 * the byte offsets.
 *
 *   header (64 bytes) | section, zeros to 64 | section, zeros | ... | table
 *
 * The table comes last, so that a section may be written in pieces of unknown
 * length; the header is written again at the end with the table's place. Every
 * byte of the file is covered by one check: the header and the table by the
 * header's checksum, a section by its own, padding by being zero. */
#include <stdio.h>
#include <string.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/io_internal.h"
#include "base/mem.h"

#define BYTE_ORDER_MARK 0x01020304u
#define BYTE_ORDER_SWAPPED 0x04030201u
#define ALIGN_BYTES 64u
#define MAX_SECTIONS 4096u

typedef struct header {
  char magic[8];
  uint32_t version, byte_order;
  uint64_t file_bytes;
  uint64_t table_offset;
  uint32_t n_sections;
  uint32_t reserved[6];
  uint32_t crc; /* of header, with this as zero, and table */
} header;
_Static_assert(sizeof(header) == 64, "header layout");

typedef struct entry {
  char name[16]; /* padded with NUL; 15 characters at most */
  uint64_t offset, n_bytes;
  uint32_t crc, elem_bytes;
} entry;
_Static_assert(sizeof(entry) == 40, "table layout");

static uint64_t aligned(uint64_t n) {
  return (n + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
}

static uint32_t checksum(header h, const entry *table) {
  h.crc = 0;
  const uint32_t crc = sn_crc32(0, &h, sizeof h);
  return sn_crc32(crc, table, h.n_sections * sizeof *table);
}

/* ---- Reading ---- */

struct sn_box {
  char *name;
  sn_map map; /* of files */
  const unsigned char *data;
  size_t n;
  header h;
  entry *table;
  bool *verified; /* [n_sections] */
};

/* What a reader takes. */
typedef struct wanted {
  const char *magic;
  uint32_t oldest, newest; /* versions */
} wanted;

static sn_status check_version(const sn_box *b, wanted w, sn_err *err) {
  char range[48] = "";
  if (b->h.version >= w.oldest && b->h.version <= w.newest) return SN_OK;
  if (w.oldest < w.newest)
    snprintf(range, sizeof range, "s %lu to %lu", (unsigned long)w.oldest,
             (unsigned long)w.newest);
  else
    snprintf(range, sizeof range, " %lu", (unsigned long)w.newest);
  return sn_fail(err, SN_EFORMAT,
                 "'%s', byte 8: version %lu of the %s format; this program "
                 "reads version%s: make the file again",
                 b->name, (unsigned long)b->h.version, w.magic, range);
}

static sn_status check_header(sn_box *b, wanted w, sn_err *err) {
  if (b->n < sizeof b->h)
    return sn_fail(err, SN_EFORMAT,
                   "'%s' has %zu bytes, fewer than the 64 of its header: it is "
                   "%s",
                   b->name, b->n, b->n == 0 ? "empty" : "cut short");
  memcpy(&b->h, b->data, sizeof b->h);
  char want[sizeof b->h.magic] = {0};
  SN_ASSERT(strlen(w.magic) <= sizeof want);
  memcpy(want, w.magic, strlen(w.magic));
  if (memcmp(want, b->h.magic, sizeof want) != 0)
    return sn_fail(err, SN_EFORMAT,
                   "'%s' is no %s file: its first 8 bytes are something else",
                   b->name, w.magic);
  if (b->h.byte_order != BYTE_ORDER_MARK)
    return sn_fail(err, SN_EFORMAT, "'%s', byte 12: the byte order is %s",
                   b->name,
                   b->h.byte_order == BYTE_ORDER_SWAPPED
                       ? "that of another kind of machine; make the file here"
                       : "damaged");
  SN_TRY(check_version(b, w, err));
  if (b->h.file_bytes != b->n)
    return sn_fail(err, SN_EFORMAT,
                   "'%s' has %zu bytes; its header (byte 16) says %llu: it is "
                   "%s",
                   b->name, b->n, (unsigned long long)b->h.file_bytes,
                   b->h.file_bytes > b->n ? "cut short" : "damaged");
  return SN_OK;
}

/* After this, every table entry lies within the file, in order, without gaps
 * but for alignment. */
static sn_status check_table(sn_box *b, sn_err *err) {
  const uint64_t at = b->h.table_offset;
  if (at < sizeof b->h || at > b->n || b->h.n_sections > MAX_SECTIONS ||
      b->n - at != b->h.n_sections * sizeof *b->table)
    return sn_fail(err, SN_EFORMAT,
                   "'%s', byte 24: the section table's place (byte %llu, %lu "
                   "entries) does not fit the file: it is damaged",
                   b->name, (unsigned long long)at,
                   (unsigned long)b->h.n_sections);
  b->table = sn_calloc(b->h.n_sections, sizeof *b->table);
  b->verified = sn_calloc(b->h.n_sections, sizeof *b->verified);
  if (b->table == NULL || b->verified == NULL)
    return sn_fail_nomem(err, b->name);
  memcpy(b->table, b->data + at, b->n - at);
  if (checksum(b->h, b->table) != b->h.crc)
    return sn_fail(err, SN_EFORMAT,
                   "'%s', byte 60: the checksum of header and section table "
                   "(byte %llu) is wrong: the file is damaged",
                   b->name, (unsigned long long)at);
  uint64_t end = sizeof b->h;
  for (uint32_t i = 0; i < b->h.n_sections; i++) {
    const entry *const e = &b->table[i];
    if (memchr(e->name, '\0', sizeof e->name) == NULL ||
        e->offset != aligned(end) || e->offset > at ||
        e->n_bytes > at - e->offset || e->elem_bytes == 0 ||
        e->n_bytes % e->elem_bytes != 0)
      return sn_fail(err, SN_EFORMAT,
                     "'%s': entry %lu of the section table (byte %llu) is not "
                     "consistent",
                     b->name, (unsigned long)i,
                     (unsigned long long)(at + i * sizeof *e));
    end = e->offset + e->n_bytes;
  }
  if (at != aligned(end))
    return sn_fail(err, SN_EFORMAT,
                   "'%s', byte 24: the section table is at byte %llu instead "
                   "of %llu",
                   b->name, (unsigned long long)at,
                   (unsigned long long)aligned(end));
  return SN_OK;
}

static sn_status box_new(const char *name, sn_box **out, sn_err *err) {
  sn_box *const b = sn_calloc(1, sizeof *b);
  if (b == NULL) return sn_fail_nomem(err, name);
  b->name = sn_strdup(name);
  if (b->name == NULL) {
    sn_free(b);
    return sn_fail_nomem(err, name);
  }
  *out = b;
  return SN_OK;
}

static sn_status box_check_all(sn_box *b, wanted w, sn_box **out, sn_err *err) {
  sn_status s = check_header(b, w, err);
  if (s == SN_OK) s = check_table(b, err);
  if (s != SN_OK)
    sn_box_destroy(b);
  else
    *out = b;
  return s;
}

sn_status sn_box_open(const char *path, const char *magic, uint32_t version,
                      sn_box **out, sn_err *err) {
  return sn_box_open_range(path, magic, version, version, out, err);
}

sn_status sn_box_open_range(const char *path, const char *magic,
                            uint32_t oldest, uint32_t newest, sn_box **out,
                            sn_err *err) {
  *out = NULL;
  sn_box *b = NULL;
  SN_TRY(box_new(path, &b, err));
  const sn_status s = sn_map_open(path, &b->map, err);
  if (s != SN_OK) {
    sn_box_destroy(b);
    return s;
  }
  b->data = b->map.data;
  b->n = b->map.n;
  return box_check_all(b, (wanted){magic, oldest, newest}, out, err);
}

sn_status sn_box_memory(const void *data, size_t n, const char *name,
                        const char *magic, uint32_t version, sn_box **out,
                        sn_err *err) {
  *out = NULL;
  sn_box *b = NULL;
  SN_ASSERT((uintptr_t)data % 8 == 0);
  SN_TRY(box_new(name, &b, err));
  b->data = data;
  b->n = n;
  return box_check_all(b, (wanted){magic, version, version}, out, err);
}

void sn_box_destroy(sn_box *b) {
  if (b == NULL) return;
  sn_map_close(&b->map);
  sn_free(b->table);
  sn_free(b->verified);
  sn_free(b->name);
  sn_free(b);
}

static sn_status verify(sn_box *b, uint32_t i, sn_err *err) {
  const entry *const e = &b->table[i];
  if (b->verified[i]) return SN_OK;
  if (sn_crc32(0, b->data + e->offset, (size_t)e->n_bytes) != e->crc)
    return sn_fail(err, SN_EFORMAT,
                   "'%s': section '%s' (bytes %llu to %llu) is damaged: its "
                   "checksum is wrong; make or fetch the file again",
                   b->name, e->name, (unsigned long long)e->offset,
                   (unsigned long long)(e->offset + e->n_bytes));
  b->verified[i] = true;
  return SN_OK;
}

sn_status sn_box_section(sn_box *b, const char *name, size_t elem_size,
                         unsigned flags, const void **data, size_t *n,
                         sn_err *err) {
  *data = NULL;
  *n = 0;
  uint32_t i = 0;
  while (i < b->h.n_sections && strcmp(b->table[i].name, name) != 0) i++;
  if (i == b->h.n_sections) {
    if (flags & SN_BOX_OPTIONAL) return SN_OK;
    return sn_fail(err, SN_EFORMAT, "'%s' has no section '%s'", b->name, name);
  }
  const entry *const e = &b->table[i];
  if (e->elem_bytes != elem_size)
    return sn_fail(err, SN_EFORMAT,
                   "'%s': section '%s' (byte %llu) has elements of %lu bytes "
                   "instead of %zu",
                   b->name, name, (unsigned long long)e->offset,
                   (unsigned long)e->elem_bytes, elem_size);
  if (!(flags & SN_BOX_LAZY)) SN_TRY(verify(b, i, err));
  *data = b->data + e->offset;
  *n = (size_t)e->n_bytes / elem_size;
  return SN_OK;
}

sn_status sn_box_check(sn_box *b, sn_err *err) {
  for (uint32_t i = 0; i < b->h.n_sections; i++) {
    const entry *const e = &b->table[i];
    SN_TRY(verify(b, i, err));
    const uint64_t end = e->offset + e->n_bytes;
    for (uint64_t p = end; p < aligned(end); p++)
      if (b->data[p] != 0)
        return sn_fail(err, SN_EFORMAT,
                       "'%s', byte %llu, after section '%s': padding is not "
                       "zero: the file is damaged",
                       b->name, (unsigned long long)p, e->name);
  }
  return SN_OK;
}

/* ---- Writing ---- */

struct sn_box_writer {
  sn_writer *w;
  header h;
  SN_ARR(entry) table;
  bool in_section;
};

sn_status sn_box_create(const char *path, const char *magic, uint32_t version,
                        sn_box_writer **out, sn_err *err) {
  *out = NULL;
  sn_box_writer *const w = sn_calloc(1, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, path);
  SN_ASSERT(strlen(magic) <= sizeof w->h.magic);
  memcpy(w->h.magic, magic, strlen(magic));
  w->h.version = version;
  w->h.byte_order = BYTE_ORDER_MARK;
  const header blank = {{0}, 0, 0, 0, 0, 0, {0}, 0};
  sn_status s = SN_OK;
  SN_TRY_GOTO(s, sni_writer_open_raw(path, true, &w->w, err));
  /* Unreadable until commit puts the true header here. */
  SN_TRY_GOTO(s, sn_write_bytes(w->w, &blank, sizeof blank, err));
  *out = w;
  return SN_OK;
fail:
  sn_box_writer_destroy(w);
  return s;
}

static sn_status pad(sn_box_writer *w, sn_err *err) {
  static const unsigned char zeros[ALIGN_BYTES] = {0};
  const uint64_t at = (uint64_t)sn_writer_offset(w->w);
  return sn_write_bytes(w->w, zeros, (size_t)(aligned(at) - at), err);
}

sn_status sn_box_start(sn_box_writer *w, const char *name, size_t elem_size,
                       sn_err *err) {
  SN_ASSERT(elem_size > 0 && elem_size <= UINT32_MAX);
  SN_ASSERT(name[0] != '\0' && strlen(name) < sizeof(entry){0}.name);
  SN_ASSERT(w->table.n < MAX_SECTIONS);
  for (size_t i = 0; i < w->table.n; i++)
    SN_ASSERT(strcmp(w->table.data[i].name, name) != 0);
  SN_TRY(pad(w, err));
  entry e = {{0}, (uint64_t)sn_writer_offset(w->w), 0, 0, (uint32_t)elem_size};
  memcpy(e.name, name, strlen(name));
  SN_TRY(SN_ARR_PUSH(&w->table, e, err));
  w->in_section = true;
  return SN_OK;
}

sn_status sn_box_append(sn_box_writer *w, const void *data, size_t n,
                        sn_err *err) {
  SN_ASSERT(w->in_section);
  entry *const e = &w->table.data[w->table.n - 1];
  if (n == 0) return SN_OK;
  SN_ASSERT(n <= SIZE_MAX / e->elem_bytes);
  const size_t bytes = n * e->elem_bytes;
  SN_TRY(sn_write_bytes(w->w, data, bytes, err));
  e->crc = sn_crc32(e->crc, data, bytes);
  e->n_bytes += bytes;
  return SN_OK;
}

sn_status sn_box_add(sn_box_writer *w, const char *name, size_t elem_size,
                     const void *data, size_t n, sn_err *err) {
  SN_TRY(sn_box_start(w, name, elem_size, err));
  SN_TRY(sn_box_append(w, data, n, err));
  w->in_section = false;
  return SN_OK;
}

sn_status sn_box_commit(sn_box_writer *w, sn_err *err) {
  SN_TRY(pad(w, err));
  w->h.table_offset = (uint64_t)sn_writer_offset(w->w);
  w->h.n_sections = (uint32_t)w->table.n;
  SN_TRY(sn_write_bytes(w->w, w->table.data, w->table.n * sizeof *w->table.data,
                        err));
  w->h.file_bytes = (uint64_t)sn_writer_offset(w->w);
  w->h.crc = checksum(w->h, w->table.data);
  SN_TRY(sni_writer_patch(w->w, 0, &w->h, sizeof w->h, err));
  return sn_writer_commit(w->w, err);
}

void sn_box_writer_destroy(sn_box_writer *w) {
  if (w == NULL) return;
  sn_writer_destroy(w->w);
  SN_ARR_FREE(&w->table);
  sn_free(w);
}
