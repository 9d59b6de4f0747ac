/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking zstd streams (RFC 8878) for base/io_reader.c. Frames follow each
 * other as gzip members do. */
#include <string.h>
#include <zstd.h>

#include "base/io_internal.h"
#include "base/mem.h"

/* Windows above this are refused, as the zstd command does without --long:
 * a small file must not make us take gigabytes. */
#define MAX_WINDOW_LOG 27

struct sni_unzstd {
  ZSTD_DStream *stream;
  bool in_frame;
};

sn_status sni_unzstd_create(const char *name, sni_unzstd **out, sn_err *err) {
  *out = NULL;
  sni_unzstd *const u = sn_calloc(1, sizeof *u);
  if (u == NULL) return sn_fail_nomem(err, name);
  u->stream = ZSTD_createDStream();
  if (u->stream == NULL) {
    sn_free(u);
    return sn_fail_nomem(err, name);
  }
  (void)ZSTD_DCtx_setParameter(u->stream, ZSTD_d_windowLogMax, MAX_WINDOW_LOG);
  *out = u;
  return SN_OK;
}

void sni_unzstd_destroy(sni_unzstd *u) {
  if (u == NULL) return;
  (void)ZSTD_freeDStream(u->stream);
  sn_free(u);
}

bool sni_unzstd_in_frame(const sni_unzstd *u) { return u->in_frame; }

sn_status sni_unzstd_some(sni_unzstd *u, sni_unzstd_io *io, const char *name,
                          sn_err *err) {
  ZSTD_inBuffer in = {io->in, io->n_in, 0};
  ZSTD_outBuffer out = {io->out, io->n_out, 0};
  const size_t left = ZSTD_decompressStream(u->stream, &out, &in);
  if (ZSTD_isError(left))
    return sn_fail(err, SN_EFORMAT, "'%s': damaged zstd data (%s)", name,
                   ZSTD_getErrorName(left));
  u->in_frame = left != 0;
  io->n_in = in.pos;
  io->n_out = out.pos;
  return SN_OK;
}
