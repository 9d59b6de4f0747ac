/* SPDX-License-Identifier: Apache-2.0 */
/* SphinxTrain's feature_transform files.
 *
 *   "s3\n", lines "name value", "endhdr\n"
 *   u32 0x11223344 in the file's byte order
 *   u32 matrices, rows, columns; u32 their product; float32 values by rows
 *   (a checksum may follow, which sphinxbase does not read either)
 * Only the first matrix is used.
 * Source: sphinxbase feat/lda.c, util/bio.c (bio_readhdr, bio_fread_3d). */
#include <math.h>
#include <string.h>

#include "frontend/sphinx_post_internal.h"

enum { max_dim = 4096, max_header_lines = 100 };

static uint32_t swapped(uint32_t v) {
  return v >> 24 | (v >> 8 & 0xff00u) | (v << 8 & 0xff0000u) | v << 24;
}

static sn_status read_header(sn_reader *r, sn_err *err) {
  sn_span line;
  bool more = true;
  for (int i = 0; i < max_header_lines; i++) {
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) break;
    if (i == 0 && !sn_span_eq(line, "s3"))
      return sn_fail(err, SN_EFORMAT,
                     "%s: not a Sphinx file: it does not begin with 's3'",
                     sn_reader_name(r));
    if (sn_span_eq(sn_span_trim(line), "endhdr")) return SN_OK;
  }
  return sn_fail(err, SN_EFORMAT, "%s: the header has no 'endhdr' line",
                 sn_reader_name(r));
}

static sn_status read_u32(sn_reader *r, bool swap, uint32_t *out, sn_err *err) {
  SN_TRY(sn_read_bytes(r, out, sizeof *out, err));
  if (swap) *out = swapped(*out);
  return SN_OK;
}

/* Matrices, rows, columns, number of values. */
static sn_status read_sizes(sn_reader *r, bool swap, uint32_t size[4],
                            sn_err *err) {
  for (size_t i = 0; i < 4; i++) SN_TRY(read_u32(r, swap, &size[i], err));
  if (size[0] < 1 || size[0] > max_dim || size[1] < 1 || size[1] > max_dim ||
      size[2] < 1 || size[2] > max_dim ||
      (uint64_t)size[0] * size[1] * size[2] != size[3])
    return sn_fail(err, SN_EFORMAT,
                   "%s: sizes before byte %lld: %lu matrices of %lu x %lu with "
                   "%lu values in all do not fit together",
                   sn_reader_name(r), (long long)sn_reader_offset(r),
                   (unsigned long)size[0], (unsigned long)size[1],
                   (unsigned long)size[2], (unsigned long)size[3]);
  return SN_OK;
}

sn_status sni_sphinx_lda_read(sn_reader *r, sn_mat *out, sn_err *err) {
  *out = (sn_mat){0};
  SN_TRY(read_header(r, err));
  uint32_t order, size[4];
  SN_TRY(read_u32(r, false, &order, err));
  const bool swap = order == swapped(0x11223344u);
  if (!swap && order != 0x11223344u)
    return sn_fail(err, SN_EFORMAT, "%s: no byte-order mark before byte %lld",
                   sn_reader_name(r), (long long)sn_reader_offset(r));
  SN_TRY(read_sizes(r, swap, size, err));
  sn_mat m;
  SN_TRY(sn_mat_alloc(size[1], size[2], &m, err));
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < (size_t)size[1] * size[2]; i++) {
    uint32_t bits;
    float *to = sn_mat_row(m, i / size[2]) + i % size[2];
    s = read_u32(r, swap, &bits, err);
    if (s == SN_OK) memcpy(to, &bits, sizeof bits);
    if (s == SN_OK && !isfinite(*to))
      s = sn_fail(err, SN_EFORMAT, "%s: value before byte %lld is not finite",
                  sn_reader_name(r), (long long)sn_reader_offset(r));
  }
  if (s != SN_OK)
    sn_mat_free(&m);
  else
    *out = m;
  return s;
}
