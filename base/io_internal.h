/* SPDX-License-Identifier: Apache-2.0 */
/* base/io_internal.h - what readers and writers offer within base only. */
#ifndef SN_BASE_IO_INTERNAL_H
#define SN_BASE_IO_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/io.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Goes to byte `offset` of a plain file or memory. SN_EARG when it is packed
 * or cannot seek (a pipe). */
SN_NODISCARD sn_status sni_reader_seek(sn_reader *r, int64_t offset,
                                       sn_err *err);

/* sn_writer_open without packing by name; seekable files only where asked. */
SN_NODISCARD sn_status sni_writer_open_raw(const char *path, bool seekable,
                                           sn_writer **out, sn_err *err);
/* Replaces n bytes at `offset`, all written before. Seekable writers only. */
SN_NODISCARD sn_status sni_writer_patch(sn_writer *w, int64_t offset,
                                        const void *data, size_t n,
                                        sn_err *err);

/* Unpacking of zstd. io: n_in bytes in, room for n_out out; afterwards how many
 * of each were used. in_frame: whether a frame has begun that has not ended.
 * SN_EFORMAT for damaged data. */
typedef struct sni_unzstd sni_unzstd;
typedef struct sni_unzstd_io {
  const void *in;
  size_t n_in;
  void *out;
  size_t n_out;
} sni_unzstd_io;
SN_NODISCARD sn_status sni_unzstd_create(const char *name, sni_unzstd **out,
                                         sn_err *err);
void sni_unzstd_destroy(sni_unzstd *u);
SN_NODISCARD sn_status sni_unzstd_some(sni_unzstd *u, sni_unzstd_io *io,
                                       const char *name, sn_err *err);
bool sni_unzstd_in_frame(const sni_unzstd *u);

/* What zlib allocates with: base/mem.h. */
void *sni_zlib_alloc(void *opaque, unsigned n, unsigned size);
void sni_zlib_free(void *opaque, void *p);
#ifdef __cplusplus
}
#endif
#endif
