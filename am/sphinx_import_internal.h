/* SPDX-License-Identifier: Apache-2.0 */
/* am/sphinx_import_internal.h - a model being imported: sphinx_import.c reads
 * and fits its parts together, sphinx_write.c writes the directory. */
#ifndef SN_AM_SPHINX_IMPORT_INTERNAL_H
#define SN_AM_SPHINX_IMPORT_INTERNAL_H
#include <math.h>

#include "am/am_internal.h"
#include "am/sphinx_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Score units of Sphinx: 1024 steps of a logarithm to the base 1.0001. */
#define SNI_SPHINX_UNIT (1024.0 * log1p(1e-4))

typedef struct sni_import {
  const char *dir, *out_dir;
  sn_am_import_opts o;
  sn_log *log;
  sni_mdef mdef;
  sni_s3_gauss means, vars;
  sni_s3_tmat tmat;
  sni_s3_mixw mixw;
  sni_sendump dump;
  sn_feat_config *feat;
  bool has_lda; /* feature_transform, which the model directory gets too */
  sn_str names;
  int32_t *codebook; /* [n_pdfs] */
  int32_t *tri_first;
  sni_am_tri *tris;
  int32_t *stream_dims;
  float *weights;
  uint8_t *weights8;
  sni_am_view v;
} sni_import;

/* Path of a file of the Sphinx model, owned by the caller. */
SN_NODISCARD sn_status sni_import_path(const sni_import *m, const char *file,
                                       char **path, sn_err *err);
SN_NODISCARD sn_status sni_import_has(const sni_import *m, const char *file,
                                      bool *found, sn_err *err);
/* Path and content of a file that must be there; owned by the caller, also
 * after a failure. */
SN_NODISCARD sn_status sni_import_file(const sni_import *m, const char *file,
                                       char **path, char **data, size_t *n,
                                       sn_err *err);
/* Writes am.bin, feature_transform and last model.ini. */
SN_NODISCARD sn_status sni_import_write(sni_import *m, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
