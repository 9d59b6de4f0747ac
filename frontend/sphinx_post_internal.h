/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/sphinx_post_internal.h - cepstra to features, sphinx dialect: mean
 * subtraction, gain control, deltas, LDA. */
#ifndef SN_FRONTEND_SPHINX_POST_INTERNAL_H
#define SN_FRONTEND_SPHINX_POST_INTERNAL_H
#include <stddef.h>
#include <stdint.h>

#include "base/io.h"
#include "base/mat.h"
#include "base/status.h"
#include "frontend/feat.h"
#include "frontend/sphinx_opts_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

/* What is to be done; immutable. */
typedef struct sni_sphinx_type sni_sphinx_type;
/* dim: of the base frames. Errors: SN_EARG, naming what is not supported. */
sn_status sni_sphinx_type_create(const sni_sphinx_opts *o, size_t dim,
                                 sni_sphinx_type **out, sn_err *err);
void sni_sphinx_type_destroy(sni_sphinx_type *t); /* NULL is fine */
size_t sni_sphinx_type_dim(const sni_sphinx_type *t);

/* One stream of it. */
typedef struct sni_sphinx_post sni_sphinx_post;
/* t is borrowed. Errors: SN_EARG where live mean subtraction cannot be had
 * together with varnorm or agc, SN_ENOMEM. */
sn_status sni_sphinx_post_create(const sni_sphinx_type *t, sn_cmn_mode mode,
                                 sni_sphinx_post **out, sn_err *err);
void sni_sphinx_post_destroy(sni_sphinx_post *p); /* NULL is fine */
sn_status sni_sphinx_post_push(sni_sphinx_post *p, const float *frame,
                               int64_t position, sn_err *err);
void sni_sphinx_post_finish(sni_sphinx_post *p);
size_t sni_sphinx_post_n_ready(const sni_sphinx_post *p);
/* feature [dim]; n_ready must be > 0. */
void sni_sphinx_post_pull(sni_sphinx_post *p, float *feature,
                          int64_t *position);
void sni_sphinx_post_reset(sni_sphinx_post *p, bool keep_cmn);

/* The first matrix of a SphinxTrain feature_transform file (-lda).
 * Errors: SN_EFORMAT with byte offset, SN_ENOMEM. */
sn_status sni_sphinx_lda_read(sn_reader *r, sn_mat *out, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
