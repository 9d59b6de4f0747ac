/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/kaldi_opts_internal.h - settings of the kaldi dialect, under the
 * names that compute-mfcc-feats, compute-fbank-feats, compute-plp-feats,
 * compute-kaldi-pitch-feats and process-kaldi-pitch-feats give them. */
#ifndef SN_FRONTEND_KALDI_OPTS_INTERNAL_H
#define SN_FRONTEND_KALDI_OPTS_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#include "base/status.h"
#include "frontend/extractor_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sni_kaldi_kind {
  SNI_KALDI_MFCC,
  SNI_KALDI_FBANK,
  SNI_KALDI_PLP,
  SNI_KALDI_PITCH
} sni_kaldi_kind;

typedef enum sni_kaldi_window_type {
  SNI_WINDOW_POVEY,
  SNI_WINDOW_HAMMING,
  SNI_WINDOW_HANNING,
  SNI_WINDOW_RECTANGULAR,
  SNI_WINDOW_BLACKMAN,
  SNI_WINDOW_SINE
} sni_kaldi_window_type;

/* Scalars only: it may be copied with =. Settings of another kind than `kind`
 * are kept and do nothing. */
typedef struct sni_kaldi_opts {
  int32_t kind; /* sni_kaldi_kind */

  /* Frames: all kinds. */
  double sample_frequency;        /* Hz */
  double frame_length;            /* ms */
  double frame_shift;             /* ms */
  double preemphasis_coefficient; /* < 0: 0.97, pitch 0 */
  bool snip_edges;

  /* Windows: mfcc, fbank, plp. */
  double dither;
  double dither_seed; /* whole number */
  bool remove_dc_offset;
  int32_t window_type; /* sni_kaldi_window_type */
  double blackman_coeff;
  bool round_to_power_of_two;
  bool subtract_mean;

  /* In Kaldi's configuration files; nothing here depends on them. */
  bool allow_downsample, allow_upsample, debug_mel;
  int32_t max_feature_vectors;

  /* Filters: mfcc, fbank, plp. */
  int32_t num_mel_bins;
  double low_freq, high_freq;            /* Hz; high <= 0: below Nyquist */
  double vtln_low, vtln_high, vtln_warp; /* Hz, Hz, factor */

  /* Energy and cepstra. */
  int32_t use_energy; /* words of the table: see sni_kaldi_use_energy */
  double energy_floor;
  bool raw_energy;
  bool htk_compat;
  int32_t num_ceps;
  double cepstral_lifter;
  bool use_log_fbank, use_power; /* fbank */
  int32_t lpc_order;             /* plp */
  double compress_factor, cepstral_scale;

  /* Pitch tracking. */
  double min_f0, max_f0, soft_min_f0; /* Hz */
  double penalty_factor;
  double lowpass_cutoff;     /* Hz */
  double resample_frequency; /* Hz */
  double delta_pitch;
  double nccf_ballast;
  bool nccf_ballast_online;
  int32_t lowpass_filter_width, upsample_filter_width;
  int32_t max_frames_latency;
  int32_t recompute_frame;

  /* Processed pitch. */
  bool process_pitch;
  double pitch_scale, pov_scale, pov_offset, delta_pitch_scale;
  double delta_pitch_noise_stddev;
  int32_t normalization_left_context, normalization_right_context; /* frames */
  int32_t pitch_delta_window; /* process-kaldi-pitch-feats' --delta-window */
  int32_t delay;              /* frames */
  bool add_pov_feature, add_normalized_log_pitch, add_delta_pitch,
      add_raw_log_pitch;
} sni_kaldi_opts;

extern const sn_opt sni_kaldi_opt_table[]; /* ends at SN_OPT_END */

/* What is left open by the table: settings whose default goes by kind. */
bool sni_kaldi_use_energy(const sni_kaldi_opts *o);
double sni_kaldi_preemphasis(const sni_kaldi_opts *o);

/* As sni_kaldi_plan_create, straight from the settings (copied).
 * Errors: SN_EARG (settings that contradict each other, named), SN_ENOMEM. */
SN_NODISCARD sn_status sni_kaldi_plan_create_opts(const sni_kaldi_opts *o,
                                                  sni_kaldi_plan **out,
                                                  sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
