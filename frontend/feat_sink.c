/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to files.
 *
 * Sphinx (.mfc): int32 number of floats, then the floats, little-endian
 * (sphinx_fe writes the machine's order, which readers find out).
 *
 * HTK (the HTK book 5.10.1), big-endian: int32 frames, int32 frame period in
 * 100 ns, int16 bytes a frame, int16 kind, then floats. sphinx_fe puts the
 * number of floats where the number of frames belongs; we do not. */
#include <math.h>
#include <string.h>

#include "base/io.h"
#include "base/kaldi_io.h"
#include "base/mem.h"
#include "frontend/feat_file.h"

typedef enum sink_kind { SINK_ARK, SINK_HTK, SINK_SPHINX } sink_kind;

struct sn_feat_sink {
  sink_kind kind;
  sn_feat_sink_opts opts;
  sn_ark_writer *ark;
  char *dir;
};

static bool starts(const char *s, const char *with, const char **rest) {
  const size_t n = strlen(with);
  if (strncmp(s, with, n) != 0) return false;
  *rest = s + n;
  return true;
}

static sn_status open_dir(sn_feat_sink *s, const char *dir, sn_err *err) {
  if (dir[0] == '\0' || strcmp(dir, "-") == 0)
    return sn_fail(err, SN_EARG,
                   "htk and sphinx files need a directory to be written to, "
                   "one file for each utterance");
  s->dir = sn_strdup(dir);
  if (s->dir == NULL) return sn_fail_nomem(err, "output");
  return sn_dir_make(dir, err);
}

static sn_status open_spec(sn_feat_sink *s, const char *spec, sn_err *err) {
  const char *rest;
  if (starts(spec, "htk:", &rest)) {
    s->kind = SINK_HTK;
    return open_dir(s, rest, err);
  }
  if (starts(spec, "sphinx:", &rest)) {
    s->kind = SINK_SPHINX;
    return open_dir(s, rest, err);
  }
  s->kind = SINK_ARK;
  if (!starts(spec, "ark:", &rest) && !starts(spec, "ark,", &rest))
    return sn_fail(err, SN_EARG,
                   "output '%s' is none of ark:PATH, ark,t:PATH, "
                   "ark,scp:ARK,SCP, htk:DIR and sphinx:DIR",
                   spec);
  return sn_ark_writer_open(spec, &s->ark, err);
}

sn_status sn_feat_sink_open(const char *spec, const sn_feat_sink_opts *opts,
                            sn_feat_sink **out, sn_err *err) {
  *out = NULL;
  sn_feat_sink *s = sn_calloc(1, sizeof *s);
  if (s == NULL) return sn_fail_nomem(err, "output");
  s->opts = *opts;
  const sn_status status = open_spec(s, spec, err);
  if (status != SN_OK) {
    sn_feat_sink_destroy(s);
    return status;
  }
  *out = s;
  return SN_OK;
}

static unsigned char *put_bytes(unsigned char *to, uint32_t v, size_t n,
                                bool big) {
  for (size_t i = 0; i < n; i++)
    to[big ? n - 1 - i : i] = (unsigned char)(v >> 8 * i);
  return to + n;
}

static unsigned char *put_float(unsigned char *to, float x, bool big) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return put_bytes(to, bits, 4, big);
}

static sn_status check_size(const sn_feat_sink *s, const char *id, sn_cmat m,
                            sn_err *err) {
  const size_t widest = INT16_MAX / 4;
  if (s->kind == SINK_HTK && m.cols > widest)
    return sn_fail(err, SN_EARG,
                   "'%s': frames of %zu components; HTK files hold at most "
                   "%zu",
                   id, m.cols, widest);
  if (m.cols > 0 && m.rows > INT32_MAX / m.cols)
    return sn_fail(err, SN_EARG, "'%s': %zu frames are too many for the format",
                   id, m.rows);
  return SN_OK;
}

static size_t put_header(const sn_feat_sink *s, sn_cmat m,
                         unsigned char header[12]) {
  unsigned char *to = header;
  if (s->kind == SINK_SPHINX) {
    to = put_bytes(to, (uint32_t)(m.rows * m.cols), 4, false);
  } else {
    to = put_bytes(to, (uint32_t)m.rows, 4, true);
    to = put_bytes(to, (uint32_t)lround(s->opts.frame_shift_s * 1e7), 4, true);
    to = put_bytes(to, (uint32_t)(4 * m.cols), 2, true);
    to = put_bytes(to, (uint32_t)s->opts.htk_kind, 2, true);
  }
  return (size_t)(to - header);
}

static sn_status write_frames(const sn_feat_sink *s, sn_writer *w, sn_cmat m,
                              sn_err *err) {
  const bool big = s->kind == SINK_HTK;
  const size_t first = big && s->opts.htk_kind == SN_HTK_MFCC_0 ? 1 : 0;
  unsigned char header[12];
  SN_TRY(sn_write_bytes(w, header, put_header(s, m, header), err));
  if (m.rows == 0) return SN_OK;
  unsigned char *row = sn_calloc(m.cols, 4);
  if (row == NULL) return sn_fail_nomem(err, "output");
  sn_status status = SN_OK;
  for (size_t t = 0; status == SN_OK && t < m.rows; t++) {
    const float *frame = sn_cmat_row(m, t);
    unsigned char *to = row;
    for (size_t d = first; d < m.cols; d++) to = put_float(to, frame[d], big);
    if (first == 1) (void)put_float(to, frame[0], big);
    status = sn_write_bytes(w, row, 4 * m.cols, err);
  }
  sn_free(row);
  return status;
}

static sn_status write_file(const sn_feat_sink *s, const char *path, sn_cmat m,
                            sn_err *err) {
  sn_writer *w;
  SN_TRY(sn_writer_open(path, &w, err));
  sn_status status = write_frames(s, w, m, err);
  if (status == SN_OK) status = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  return status;
}

sn_status sn_feat_sink_write(sn_feat_sink *s, const char *id, sn_cmat frames,
                             sn_err *err) {
  if (s->kind == SINK_ARK)
    return sn_ark_write_mat(s->ark, id, frames, SN_ARK_MATRIX, err);
  if (id[0] == '\0' || id[0] == '.' || strchr(id, '/') != NULL)
    return sn_fail(err, SN_EARG,
                   "utterance id '%s' cannot name a file in '%s': write an ark "
                   "or change the id",
                   id, s->dir);
  SN_TRY(check_size(s, id, frames, err));
  sn_str name = {0};
  sn_status status = sn_str_addf(&name, err, "%s/%s.%s", s->dir, id,
                                 s->kind == SINK_HTK ? "htk" : "mfc");
  if (status == SN_OK) status = write_file(s, sn_str_get(&name), frames, err);
  sn_str_clear(&name);
  return status;
}

sn_status sn_feat_sink_commit(sn_feat_sink *s, sn_err *err) {
  return s->ark != NULL ? sn_ark_writer_commit(s->ark, err) : SN_OK;
}

void sn_feat_sink_destroy(sn_feat_sink *s) {
  if (s == NULL) return;
  sn_ark_writer_destroy(s->ark);
  sn_free(s->dir);
  sn_free(s);
}
