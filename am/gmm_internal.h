/* SPDX-License-Identifier: Apache-2.0 */
/* am/gmm_internal.h - tables of the Gaussian scorer, its block function and
 * its kernels. */
#ifndef SN_AM_GMM_INTERNAL_H
#define SN_AM_GMM_INTERNAL_H
#include "am/am_internal.h"
#include "base/mat.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SNI_GMM_BLOCK 16 /* frames scored together */
#define SNI_GMM_LANES 16 /* Gaussians of one group of the parameter layout */

/* Innermost loops. All variants give the same result up to rounding; each row
 * depends on its own frame only, whatever the block. Pointers need no
 * alignment; outputs overlap no input. */
typedef struct sni_gmm_kernels {
  const char *name;
  /* Log-densities of n_groups * LANES Gaussians for n_frames frames:
   *   out[t * ld + g] = c_g - sum over d of (x[t * D + d] s_gd + q_gd)^2
   * params: a group is [1 + 2 D][LANES]: c, then s_0, q_0, s_1, ... */
  void (*densities)(const float *params, size_t n_groups, size_t n_dims,
                    const float *x, size_t n_frames, float *out, size_t ld);
  /* The top_n largest of v[0 .. n), falling, equal ones by rising index.
   * 1 <= top_n <= n, top_n <= SNI_AM_MAX_TOP. */
  void (*top)(const float *v, size_t n, size_t top_n, int32_t *index,
              float *value);
  /* out[i] = product over k < n_streams of
   *   sum over j < top_n of e[k * top_n + j] rows[k * top_n + j][i] */
  void (*mix)(const float *const *rows, const float *e, size_t n_streams,
              size_t top_n, size_t n, float *out);
  /* v[i] = log(max(v[i], FLT_MIN)), v[i] finite. Error at most
   * 1.5e-7 * (1 + |log v|); see gmm_kernels.c. */
  void (*logs)(float *v, size_t n);
} sni_gmm_kernels;

extern const sni_gmm_kernels sni_gmm_plain;
/* The fastest that this processor has. */
const sni_gmm_kernels *sni_gmm_best_kernels(void);

/* One stream of the feature vector. */
typedef struct sni_gmm_stream {
  size_t n_dims;       /* D */
  const int32_t *dims; /* [D] in the feature vector; borrowed */
  float *params;       /* of all groups of all chunks */
} sni_gmm_stream;

struct sni_gmm {
  size_t n_codebooks, n_streams, n_gauss, n_pdfs; /* C K G N */
  size_t dim, max_dims, top_n;
  size_t chunk; /* codebooks worked on together: their Gaussians fill groups */
  float clip;   /* nat; +INFINITY: none */
  sni_gmm_stream *streams; /* [K] */
  size_t *first;  /* [C + 1] pdfs of codebook c: order[first[c]] and on */
  int32_t *order; /* [N] */
  size_t *run;    /* [N] how many from here on are consecutive in `order` and of
                     one codebook; only at their first */
  const float *weights; /* [C][K][G][pdfs of c], linear */
  float *own_weights;   /* where they are not those of the file */
  const sni_gmm_kernels *kernels;
  const int32_t *gauss_first; /* [N + 1] where the number varies, else NULL */
};

/* The same for mixtures whose number of Gaussians varies (gmm_ragged.c). */
SN_NODISCARD sn_status sni_ragged_fill(sni_gmm *g, const sni_am_view *v,
                                       sn_err *err);
size_t sni_ragged_groups(const sni_gmm *g);

/* Scratch memory; belongs to one stream of frames. */
typedef struct sni_gmm_work {
  float *x;           /* [BLOCK x max_dims] */
  float *density;     /* [BLOCK x Gaussians of a chunk] */
  int32_t *top;       /* [BLOCK][K][C][top_n] */
  float *top_logp;    /* the same */
  const float **rows; /* [K x top_n] */
  float *e;           /* [BLOCK][C][K][top_n] */
  double *common;     /* [BLOCK] what all pdfs of a frame have to add */
  float *prod, *sum;  /* [BLOCK x N], pdfs in the order of `order` */
} sni_gmm_work;
SN_NODISCARD sn_status sni_gmm_work_init(const sni_gmm *g, sni_gmm_work *w,
                                         sn_err *err);
void sni_gmm_work_clear(sni_gmm_work *w);

/* Natural-log likelihoods out [T x N] of feats [T x dim], T <= BLOCK. */
void sni_gmm_score(const sni_gmm *g, sni_gmm_work *w, sn_cmat feats,
                   sn_mat out);
void sni_ragged_score(const sni_gmm *g, struct sni_gmm_work *w, sn_cmat feats,
                      sn_mat out);
#ifdef __cplusplus
}
#endif
#endif
