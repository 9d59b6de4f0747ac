/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/sphinx_fft_internal.h - power spectra of real frames, in double. */
#ifndef SN_FRONTEND_SPHINX_FFT_INTERNAL_H
#define SN_FRONTEND_SPHINX_FFT_INTERNAL_H
#include <stddef.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Tables for one length; immutable, share it. */
typedef struct sni_fft sni_fft;
/* n: a power of two, at least 8. Errors: SN_EARG, SN_ENOMEM. */
sn_status sni_fft_create(size_t n, sni_fft **out, sn_err *err);
void sni_fft_destroy(sni_fft *f); /* NULL is fine */
/* doubles of scratch that sni_fft_power needs */
size_t sni_fft_scratch(const sni_fft *f);
/* in [n]; power [n/2 + 1] = |DFT(in)|^2; scratch [sni_fft_scratch]. None may
 * overlap. Cannot fail. */
void sni_fft_power(const sni_fft *f, const double *restrict in,
                   double *restrict scratch, double *restrict power);
#ifdef __cplusplus
}
#endif
#endif
