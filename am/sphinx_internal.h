/* SPDX-License-Identifier: Apache-2.0 */
/* am/sphinx_internal.h - readers of the files of a Sphinx acoustic model. All
 * work on bytes in memory; every failure names file, field and offset. */
#ifndef SN_AM_SPHINX_INTERNAL_H
#define SN_AM_SPHINX_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- A cursor over a file's bytes (am/sphinx_bytes.c) ---- */
typedef struct sni_bytes {
  const unsigned char *p;
  size_t n, at;
  bool swap; /* numbers are of the other byte order */
  const char *name;
  uint32_t sum; /* running Sphinx checksum of the words read */
  bool has_sum; /* a checksum follows the data */
} sni_bytes;

/* SN_EFORMAT "NAME: FIELD at byte AT: ...". */
sn_status sni_bytes_fail(const sni_bytes *b, sn_err *err, size_t at,
                         const char *field, const char *fmt, ...)
    SN_PRINTF(5, 6);
/* The next n bytes, borrowed. */
SN_NODISCARD sn_status sni_bytes_take(sni_bytes *b, const char *field, size_t n,
                                      const unsigned char **out, sn_err *err);
SN_NODISCARD sn_status sni_bytes_i32(sni_bytes *b, const char *field,
                                     int32_t *out, sn_err *err);
SN_NODISCARD sn_status sni_bytes_u16(sni_bytes *b, const char *field,
                                     uint16_t *out, sn_err *err);
/* A count: min <= *out <= max. */
SN_NODISCARD sn_status sni_bytes_count(sni_bytes *b, const char *field,
                                       int32_t min, int32_t max, int32_t *out,
                                       sn_err *err);
/* n floats, added to the checksum; all must be finite. */
SN_NODISCARD sn_status sni_bytes_floats(sni_bytes *b, const char *field,
                                        float *out, size_t n, sn_err *err);

/* Header of an S3 file up to the byte-order mark; then the checksum at the
 * end, after which nothing may follow. */
SN_NODISCARD sn_status sni_s3_header(sni_bytes *b, double *version,
                                     sn_err *err);
SN_NODISCARD sn_status sni_s3_end(sni_bytes *b, sn_err *err);

/* ---- Parameter files (am/sphinx_params.c). Arrays are owned by the object;
 * clear accepts zeroed and half-made ones. ---- */
typedef struct sni_s3_gauss { /* means or variances */
  int32_t n_codebooks, n_streams, n_gauss;
  int32_t *len; /* [n_streams] dimensions */
  int32_t dim;  /* their sum */
  float *data;  /* [codebook][stream][gauss][dim] */
} sni_s3_gauss;
SN_NODISCARD sn_status sni_s3_gauss_read(const void *data, size_t n,
                                         const char *name, sni_s3_gauss *out,
                                         sn_err *err);
void sni_s3_gauss_clear(sni_s3_gauss *g);

typedef struct sni_s3_mixw {
  int32_t n_pdfs, n_streams, n_gauss;
  float *data; /* [pdf][stream][gauss], as they are in the file */
} sni_s3_mixw;
SN_NODISCARD sn_status sni_s3_mixw_read(const void *data, size_t n,
                                        const char *name, sni_s3_mixw *out,
                                        sn_err *err);
void sni_s3_mixw_clear(sni_s3_mixw *m);

typedef struct sni_s3_tmat {
  int32_t n_tmats, n_states;
  float *data; /* [n_tmats][S][S + 1], as they are in the file */
} sni_s3_tmat;
SN_NODISCARD sn_status sni_s3_tmat_read(const void *data, size_t n,
                                        const char *name, sni_s3_tmat *out,
                                        sn_err *err);
void sni_s3_tmat_clear(sni_s3_tmat *t);

typedef struct sni_s3_map { /* senmgau: codebook of each pdf */
  int32_t n_pdfs, n_codebooks;
  int32_t *codebook;
} sni_s3_map;
SN_NODISCARD sn_status sni_s3_map_read(const void *data, size_t n,
                                       const char *name, sni_s3_map *out,
                                       sn_err *err);
void sni_s3_map_clear(sni_s3_map *m);

/* sendump: weights as bytes, -log in units. */
typedef struct sni_sendump {
  int32_t n_streams, n_gauss, n_pdfs;
  double unit;   /* nat: 1024 log 1.0001 unless the file says otherwise */
  uint8_t *data; /* [stream][gauss][pdf] */
} sni_sendump;
/* want_*: what the other files of the model say. */
SN_NODISCARD sn_status sni_sendump_read(const void *data, size_t n,
                                        const char *name, int32_t want_streams,
                                        int32_t want_gauss, int32_t want_pdfs,
                                        sni_sendump *out, sn_err *err);
void sni_sendump_clear(sni_sendump *s);

/* ---- Model definition (am/sphinx_mdef.c) ---- */
typedef struct sni_mdef_tri {
  int32_t pos, base, left, right, hmm;
} sni_mdef_tri;

typedef struct sni_mdef {
  sn_symtab *phones;
  uint8_t *is_filler; /* [n_phones] */
  int32_t n_phones, silence;
  int32_t n_states, n_pdfs, n_tmats;
  sn_arr_i32 hmm_pdfs, hmm_tmat; /* distinct HMMs, by first appearance */
  int32_t *base_hmm;             /* [n_phones] */
  int32_t *pdf_phone; /* [n_pdfs] base phone that uses the pdf first, or -1 */
  SN_ARR(sni_mdef_tri) tris; /* sorted by (pos, base, left, right) */
  int32_t *slots;            /* hash of HMMs while reading */
  size_t n_slots;
} sni_mdef;
/* Text or binary, told by the first bytes. */
SN_NODISCARD sn_status sni_mdef_read(const void *data, size_t n,
                                     const char *name, sni_mdef *out,
                                     sn_err *err);
void sni_mdef_clear(sni_mdef *m);
#ifdef __cplusplus
}
#endif
#endif
