/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/sphinx_mel_internal.h - sphinxbase's mel filters, cosine transforms
 * and noise tracker. */
#ifndef SN_FRONTEND_SPHINX_MEL_INTERNAL_H
#define SN_FRONTEND_SPHINX_MEL_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "frontend/sphinx_opts_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Filters as runs of bins; immutable. */
typedef struct sni_sphinx_mel sni_sphinx_mel;
/* Errors: SN_EARG (edges above half the sampling rate, a filter without bins,
 * too many warp parameters), SN_ENOMEM. */
sn_status sni_sphinx_mel_create(const sni_sphinx_opts *o, sni_sphinx_mel **out,
                                sn_err *err);
void sni_sphinx_mel_destroy(sni_sphinx_mel *m); /* NULL is fine */
/* power [nfft/2 + 1], mel [nfilt]. */
void sni_sphinx_mel_apply(const sni_sphinx_mel *m, const double *power,
                          double *mel);

/* Log mel spectrum to cepstra (or to itself, smoothed), with liftering. */
typedef struct sni_sphinx_dct sni_sphinx_dct;
sn_status sni_sphinx_dct_create(const sni_sphinx_opts *o, sni_sphinx_dct **out,
                                sn_err *err);
void sni_sphinx_dct_destroy(sni_sphinx_dct *d); /* NULL is fine */
size_t sni_sphinx_dct_dim(const sni_sphinx_dct *d);
/* log_mel [nfilt] is changed; frame [dim]. */
void sni_sphinx_dct_apply(const sni_sphinx_dct *d, double *log_mel,
                          float *frame);

/* Follows power and noise in every mel band of one stream. */
typedef struct sni_sphinx_noise sni_sphinx_noise;
sn_status sni_sphinx_noise_create(const sni_sphinx_opts *o,
                                  sni_sphinx_noise **out, sn_err *err);
void sni_sphinx_noise_destroy(sni_sphinx_noise *s); /* NULL is fine */
void sni_sphinx_noise_reset(sni_sphinx_noise *s);
/* mel [nfilt] of the next frame, in place where noise is to be removed.
 * Returns whether the frame sounds like speech (always, unless silence is to
 * be removed). */
bool sni_sphinx_noise_track(sni_sphinx_noise *s, double *mel);
#ifdef __cplusplus
}
#endif
#endif
