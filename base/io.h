/* SPDX-License-Identifier: Apache-2.0 */
/* base/io.h - byte sources, atomic writes, maps, checked binary containers. */
#ifndef SN_BASE_IO_H
#define SN_BASE_IO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Reading: a file (gzip and zstd are noticed by their magic and undone),
 * stdin ("-") or memory (what tests and fuzz targets feed). Buffered; one
 * thread. ---- */
typedef struct sn_reader sn_reader;
SN_NODISCARD sn_status sn_reader_open(const char *path, sn_reader **out,
                                      sn_err *err);
/* data is borrowed until destroy; name stands in messages. */
SN_NODISCARD sn_status sn_reader_memory(const void *data, size_t n,
                                        const char *name, sn_reader **out,
                                        sn_err *err);
void sn_reader_destroy(sn_reader *r); /* NULL is fine */
const char *sn_reader_name(const sn_reader *r);
int64_t sn_reader_offset(const sn_reader *r);  /* bytes consumed (unpacked) */
int64_t sn_reader_line_no(const sn_reader *r); /* lines taken by sn_read_line */

/* The next line without its "\n" or "\r\n"; *line is NUL-terminated and
 * borrowed until the next call. *more is false at the end. A line longer than
 * 64 MiB is SN_ELIMIT. A NUL byte within a line is kept (n tells). */
SN_NODISCARD sn_status sn_read_line(sn_reader *r, sn_span *line, bool *more,
                                    sn_err *err);
/* Exactly n bytes, else SN_EFORMAT with name and offset. */
SN_NODISCARD sn_status sn_read_bytes(sn_reader *r, void *to, size_t n,
                                     sn_err *err);
/* Up to n bytes; *got == 0 at the end only. */
SN_NODISCARD sn_status sn_read_some(sn_reader *r, void *to, size_t n,
                                    size_t *got, sn_err *err);
/* The next byte without taking it, or -1 at the end. */
SN_NODISCARD sn_status sn_read_peek(sn_reader *r, int *byte, sn_err *err);
/* SN_EFORMAT "NAME:LINE: ..." (after sn_read_line). */
sn_status sn_reader_fail(const sn_reader *r, sn_err *err, const char *fmt, ...)
    SN_PRINTF(3, 4);

/* ---- Writing: to PATH.tmp-PID in the same folder; sn_writer_commit fsyncs it
 * and renames it. Destroying an uncommitted writer removes the temporary file.
 * "-" is stdout. A path that ends in ".gz" is packed. ---- */
typedef struct sn_writer sn_writer;
SN_NODISCARD sn_status sn_writer_open(const char *path, sn_writer **out,
                                      sn_err *err);
SN_NODISCARD sn_status sn_write_bytes(sn_writer *w, const void *data, size_t n,
                                      sn_err *err);
SN_NODISCARD sn_status sn_writef(sn_writer *w, sn_err *err, const char *fmt,
                                 ...) SN_PRINTF(3, 4);
int64_t sn_writer_offset(const sn_writer *w);
SN_NODISCARD sn_status sn_writer_commit(sn_writer *w, sn_err *err);
void sn_writer_destroy(sn_writer *w); /* NULL is fine */

/* ---- Whole files ---- */
/* Content plus a NUL behind it (not counted); sn_free by the caller. */
SN_NODISCARD sn_status sn_file_read(const char *path, char **data, size_t *n,
                                    sn_err *err);
bool sn_file_exists(const char *path);
bool sn_dir_exists(const char *path);
SN_NODISCARD sn_status sn_dir_make(const char *path, sn_err *err); /* -p */
/* dir/name, owned by the caller; NULL when out of memory. */
char *sn_path_join(const char *dir, const char *name);
/* Borrowed pointer to what follows the last '/'. */
const char *sn_path_base(const char *path);

/* Read-only map of a whole file; data is NULL for an empty one. A file that
 * shrinks while it is mapped kills the process (SIGBUS): our own files are
 * replaced by rename, never rewritten in place. */
typedef struct sn_map {
  const unsigned char *data;
  size_t n;
} sn_map;
SN_NODISCARD sn_status sn_map_open(const char *path, sn_map *out, sn_err *err);
void sn_map_close(sn_map *m);

uint32_t sn_crc32(uint32_t crc, const void *data, size_t n); /* start with 0 */

/* ---- Container: the layout shared by all of Senone's binary files ----
 *
 * Little-endian. 64-byte header: magic[8] ("SNGRAPH\0", ...), version u32,
 * byte-order mark u32 0x01020304, file size u64, offset of the section table
 * u64, section count u32, reserved (zero) up to byte 60, CRC-32 of header (with
 * this field as zero) and table u32. Sections start at multiples of 64 bytes,
 * padded with zeros. The table is the file's end; per section: name[16], offset
 * u64, size u64, CRC-32 u32, element size u32. docs/formats.md has the byte
 * offsets. A container can not be written to a pipe.
 *
 * Opening checks magic, version, order, file size and the table's checksum and
 * bounds: no section is read, so it takes no longer for a larger file. A
 * section's own checksum is verified by sn_box_section (once), or not until
 * sn_box_check when `lazily` is asked for. */
typedef struct sn_box sn_box;
SN_NODISCARD sn_status sn_box_open(const char *path, const char *magic,
                                   uint32_t version, sn_box **out, sn_err *err);
/* The same for a file of any version from oldest to newest. */
SN_NODISCARD sn_status sn_box_open_range(const char *path, const char *magic,
                                         uint32_t oldest, uint32_t newest,
                                         sn_box **out, sn_err *err);
/* The same over memory (8-byte aligned), borrowed until destroy. */
SN_NODISCARD sn_status sn_box_memory(const void *data, size_t n,
                                     const char *name, const char *magic,
                                     uint32_t version, sn_box **out,
                                     sn_err *err);
void sn_box_destroy(sn_box *b);
/* The section's bytes (borrowed until destroy) and its number of elements.
 * elem_size must be what the file says, else SN_EFORMAT. Verifies the
 * checksum at the first call unless lazily. A missing section is SN_EFORMAT,
 * or *data = NULL, *n = 0 where `optional`. Threads: one at a time. */
typedef enum sn_box_flags {
  SN_BOX_LAZY = 1,    /* leave the checksum to sn_box_check */
  SN_BOX_OPTIONAL = 2 /* may be missing */
} sn_box_flags;
SN_NODISCARD sn_status sn_box_section(sn_box *b, const char *name,
                                      size_t elem_size, unsigned flags,
                                      const void **data, size_t *n,
                                      sn_err *err);
/* Verifies every section; the failure names section and offset. */
SN_NODISCARD sn_status sn_box_check(sn_box *b, sn_err *err);

/* Writes a container: begin, then each section whole or in pieces, commit. */
typedef struct sn_box_writer sn_box_writer;
SN_NODISCARD sn_status sn_box_create(const char *path, const char *magic,
                                     uint32_t version, sn_box_writer **out,
                                     sn_err *err);
SN_NODISCARD sn_status sn_box_add(sn_box_writer *w, const char *name,
                                  size_t elem_size, const void *data, size_t n,
                                  sn_err *err);
/* A section in pieces: start, append (elements), ..., the next start or
 * commit ends it. */
SN_NODISCARD sn_status sn_box_start(sn_box_writer *w, const char *name,
                                    size_t elem_size, sn_err *err);
SN_NODISCARD sn_status sn_box_append(sn_box_writer *w, const void *data,
                                     size_t n, sn_err *err);
SN_NODISCARD sn_status sn_box_commit(sn_box_writer *w, sn_err *err);
void sn_box_writer_destroy(sn_box_writer *w); /* uncommitted: removes it */
#ifdef __cplusplus
}
#endif
#endif
