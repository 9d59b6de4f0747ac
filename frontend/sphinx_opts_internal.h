/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/sphinx_opts_internal.h - settings of the sphinx dialect, under
 * sphinx_fe's and PocketSphinx's own names and with their defaults. */
#ifndef SN_FRONTEND_SPHINX_OPTS_INTERNAL_H
#define SN_FRONTEND_SPHINX_OPTS_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sni_sphinx_transform {
  SNI_SPHINX_LEGACY,
  SNI_SPHINX_DCT,
  SNI_SPHINX_HTK
} sni_sphinx_transform;

/* The words of -cmn in table order; the last two are old names. */
typedef enum sni_sphinx_cmn {
  SNI_SPHINX_CMN_NONE,
  SNI_SPHINX_CMN_BATCH,
  SNI_SPHINX_CMN_LIVE,
  SNI_SPHINX_CMN_CURRENT,
  SNI_SPHINX_CMN_PRIOR
} sni_sphinx_cmn;

typedef enum sni_sphinx_agc {
  SNI_SPHINX_AGC_NONE,
  SNI_SPHINX_AGC_MAX,
  SNI_SPHINX_AGC_EMAX,
  SNI_SPHINX_AGC_NOISE
} sni_sphinx_agc;

typedef enum sni_sphinx_warp {
  SNI_SPHINX_WARP_INVERSE_LINEAR,
  SNI_SPHINX_WARP_INVERSE,
  SNI_SPHINX_WARP_AFFINE,
  SNI_SPHINX_WARP_LINEAR,
  SNI_SPHINX_WARP_PIECEWISE_LINEAR,
  SNI_SPHINX_WARP_PIECEWISE
} sni_sphinx_warp;

/* float where sphinxbase keeps float32: the filter edges depend on it. */
typedef struct sni_sphinx_opts {
  /* samples to frames */
  float alpha, samprate, wlen, lowerf, upperf, vad_threshold;
  int32_t frate, nfft, nfilt, ncep, lifter;
  int32_t vad_prespeech, vad_postspeech, vad_startspeech;
  int32_t seed, blocksize;
  int32_t transform; /* sni_sphinx_transform */
  int32_t warp_type; /* sni_sphinx_warp */
  const char *warp_params;
  bool unit_area, round_filters, doublebw, remove_dc, remove_noise,
      remove_silence, dither, logspec, smoothspec;
  /* frames to features */
  const char *feat, *cmninit, *lda;
  int32_t ceplen, cmn, agc, ldadim;
  float agcthresh;
  bool varnorm;
  /* for whoever scores the features; kept here since feat.params has it */
  const char *svspec;
} sni_sphinx_opts;

extern const sn_opt sni_sphinx_opt_table[];
/* Whether `name` is an option of another part of Sphinx, which may stand in a
 * feat.params or argument file and does nothing here. */
bool sni_sphinx_is_foreign(const char *name);
/* The i-th of them, or NULL. */
const char *sni_sphinx_foreign_at(size_t i);
#ifdef __cplusplus
}
#endif
#endif
