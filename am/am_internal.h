/* SPDX-License-Identifier: Apache-2.0 */
/* am/am_internal.h - the parts of an acoustic model as plain arrays: what the
 * importer makes, am.bin holds and the loader hands to the scorer. */
#ifndef SN_AM_AM_INTERNAL_H
#define SN_AM_AM_INTERNAL_H
#include <stdint.h>

#include "am/am.h"
#include "base/io.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SNI_AM_MAGIC "SNAM"
#define SNI_AM_VERSION 1u
#define SNI_AM_VERSION_RAGGED 2u /* pdfs with Gaussians of their own number */
#define SNI_AM_MAX_PHONES 1024
#define SNI_AM_MAX_STATES 64
#define SNI_AM_MAX_PDFS (1 << 20)
#define SNI_AM_MAX_STREAMS 64
#define SNI_AM_MAX_TOP 64 /* Gaussians of a codebook and stream that count */

/* Section "shape": counts, in this order. */
typedef struct sni_am_shape {
  int32_t kind; /* sn_am_kind */
  int32_t n_phones, silence;
  int32_t n_states, n_tmats, n_hmms, n_triphones, n_pdfs;
  int32_t n_codebooks, n_streams, n_gauss, dim;
  int32_t top_n;
  int32_t weights; /* 0: floats; 1: bytes in units of weight_unit */
  int32_t reserved[2];
} sni_am_shape;

/* Triphones of one (position, base, left), by rising right context. */
typedef struct sni_am_tri {
  int32_t right, hmm;
} sni_am_tri;

/* Arrays are borrowed. P phones, S states, H HMMs, N pdfs, C codebooks,
 * K streams, G Gaussians of a codebook and stream, D[k] dimensions. */
typedef struct sni_am_view {
  sni_am_shape shape;
  double weight_unit;          /* nat */
  double clip;                 /* nat; +INFINITY: none */
  const char *names;           /* P names, each with its NUL */
  size_t n_names;              /* bytes */
  const uint8_t *is_filler;    /* [P] */
  const int32_t *base_hmm;     /* [P] */
  const int32_t *hmm_tmat;     /* [H] */
  const int32_t *hmm_pdfs;     /* [H x S] */
  const float *tmats;          /* [T x S x (S+1)], log */
  const int32_t *tri_first;    /* [4 * P * P + 1], or 1 entry: no triphones */
  const sni_am_tri *tris;      /* [n_triphones] */
  const int32_t *stream_len;   /* [K] */
  const int32_t *stream_dims;  /* all D[0], D[1], ...: index in the feature */
  const float *means, *vars;   /* [C][K][G][D[k]] */
  const int32_t *pdf_codebook; /* [N] */
  const uint8_t *weights8;     /* [C][K][G][pdfs of c, rising]: -log in units */
  const float *weights;        /* the same, linear */
  /* Or, in version 2, each pdf has its own Gaussians and their number varies:
   * Gaussians of pdf i are [first[i], first[i + 1]); one stream, means and
   * variances [first[N]][D], weights [first[N]]. NULL otherwise. */
  const int32_t *gauss_first; /* [N + 1] */
} sni_am_view;

/* Every index and value of v against its bounds. SN_EFORMAT: the section and
 * the element. name stands in messages. */
SN_NODISCARD sn_status sni_am_check(const sni_am_view *v, const char *name,
                                    sn_err *err);
SN_NODISCARD sn_status sni_am_write(const sni_am_view *v, const char *path,
                                    sn_err *err);
/* Fills v from an open container, and checks it. */
SN_NODISCARD sn_status sni_am_read(sn_box *box, const char *name,
                                   sni_am_view *v, sn_err *err);

/* Gaussians of all codebooks and streams, and the values of their means. */
size_t sni_am_n_gauss(const sni_am_view *v);
size_t sni_am_n_values(const sni_am_view *v);
/* Stream of Gaussian i, and where its mean begins. */
void sni_am_gauss_place(const sni_am_view *v, size_t i, size_t *stream,
                        size_t *at);
/* HMM of a triphone, or -1: no back-off. */
int32_t sni_am_find_tri(const sni_am_view *v, int32_t base, int32_t left,
                        int32_t right, int32_t pos);

/* Tables of the Gaussian scorer (am/gmm.c), made from a view. like: tables of
 * a model of the same weights, which are borrowed from it. */
typedef struct sni_gmm sni_gmm;
SN_NODISCARD sn_status sni_gmm_create(const sni_am_view *v, sni_gmm **out,
                                      sn_err *err);
SN_NODISCARD sn_status sni_gmm_create_like(const sni_am_view *v,
                                           const sni_gmm *like, sni_gmm **out,
                                           sn_err *err);
void sni_gmm_destroy(sni_gmm *g);

/* am with other means [sni_am_n_values], which are taken over, even where it
 * fails. All else is borrowed from am, which must outlive it. SN_EFORMAT: a
 * mean too large for its variance. */
SN_NODISCARD sn_status sni_am_with_means(const sn_am *am, float *means,
                                         sn_am **out, sn_err *err);
const sni_am_view *sni_am_view_of(const sn_am *am);
const sni_gmm *sni_am_gmm(const sn_am *am);
double sni_am_frame_shift_s(const sn_am *am);
#ifdef __cplusplus
}
#endif
#endif
