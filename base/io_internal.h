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

/* What zlib allocates with: base/mem.h. */
void *sni_zlib_alloc(void *opaque, unsigned n, unsigned size);
void sni_zlib_free(void *opaque, void *p);
#ifdef __cplusplus
}
#endif
#endif
