/* SPDX-License-Identifier: Apache-2.0 */
/* The option table of the kaldi dialect.
 *
 * Names and defaults are Kaldi 5.5's with these exceptions, each because equal
 * input is to give equal output: dither and delta-pitch-noise-stddev are 0
 * (Kaldi: 1.0 and 0.005), and where they are switched on the noise comes from
 * a seed. process-kaldi-pitch-feats calls its window for deltas delta-window;
 * that name belongs to add-deltas here, so it is pitch-delta-window. */
#include "frontend/kaldi_opts_internal.h"

#define AT(field) offsetof(sni_kaldi_opts, field)
#define NUM(name, field, deflt, min, max, unit, help) \
  { name, SN_OPT_DOUBLE, AT(field), deflt, min, max, NULL, unit, help }
#define INT(name, field, deflt, min, max, unit, help) \
  { name, SN_OPT_INT, AT(field), deflt, min, max, NULL, unit, help }
#define BOOL(name, field, deflt, help) \
  { name, SN_OPT_BOOL, AT(field), deflt, 0, 1, NULL, NULL, help }
#define WORD(name, field, words, help) \
  { name, SN_OPT_ENUM, AT(field), 0, 0, 0, words, NULL, help }

const sn_opt sni_kaldi_opt_table[] = {
    WORD("kind", kind, "mfcc|fbank|plp|pitch", "what is computed"),

    NUM("sample-frequency", sample_frequency, 16000, 1000, 192000, "Hz",
        "rate of the samples"),
    NUM("frame-length", frame_length, 25, 1, 1000, "ms", "length of a window"),
    NUM("frame-shift", frame_shift, 10, 0.5, 1000, "ms",
        "from one frame to the next"),
    NUM("preemphasis-coefficient", preemphasis_coefficient, -1, -1, 1, NULL,
        "x[t] - c * x[t-1] before windowing; -1: 0.97, or 0 for pitch"),
    BOOL("snip-edges", snip_edges, 1,
         "only windows that lie inside the recording; else one frame per "
         "shift, and the samples are mirrored at both ends"),

    NUM("dither", dither, 0, 0, 1e6, "samples",
        "deviation of Gaussian noise added to each window (Kaldi: 1)"),
    NUM("dither-seed", dither_seed, 0, 0, 9007199254740992.0, NULL,
        "where the noise of dither and delta-pitch-noise-stddev starts"),
    BOOL("remove-dc-offset", remove_dc_offset, 1,
         "subtract the mean of each window"),
    WORD("window-type", window_type,
         "povey|hamming|hanning|rectangular|blackman|sine",
         "shape of the window; povey: (0.5 - 0.5 cos)^0.85"),
    NUM("blackman-coeff", blackman_coeff, 0.42, 0, 1, NULL,
        "of the generalised Blackman window"),
    BOOL("round-to-power-of-two", round_to_power_of_two, 1,
         "fill windows up with zeros for the FFT"),
    BOOL("subtract-mean", subtract_mean, 0,
         "subtract the mean of the recording's frames; no frame before the "
         "end then"),

    BOOL("allow-downsample", allow_downsample, 1,
         "accepted for Kaldi's files: audio of any rate is resampled anyway"),
    BOOL("allow-upsample", allow_upsample, 1, "likewise"),
    INT("max-feature-vectors", max_feature_vectors, -1, -1, INT32_MAX, NULL,
        "accepted for Kaldi's files: frames that were taken cost no memory"),
    BOOL("debug-mel", debug_mel, 0, "accepted for Kaldi's files; no effect"),

    INT("num-mel-bins", num_mel_bins, 23, 3, 1000, NULL,
        "triangular filters on the mel scale"),
    NUM("low-freq", low_freq, 20, 0, 96000, "Hz", "lower edge of the filters"),
    NUM("high-freq", high_freq, 0, -96000, 96000, "Hz",
        "upper edge; 0 or less: counted from Nyquist down"),
    NUM("vtln-low", vtln_low, 100, 0, 96000, "Hz",
        "lower turning point of the warp"),
    NUM("vtln-high", vtln_high, -500, -96000, 96000, "Hz",
        "upper turning point; below 0: counted from Nyquist down"),
    NUM("vtln-warp", vtln_warp, 1, 0.1, 10, NULL,
        "vocal tract length factor; 1 does nothing"),

    WORD("use-energy", use_energy, "auto|true|false|yes|no|1|0",
         "log energy instead of C0 (fbank: in front); auto: mfcc and plp yes, "
         "fbank no"),
    NUM("energy-floor", energy_floor, 0, 0, 1e30, NULL,
        "lowest energy, before the logarithm; 0: none"),
    BOOL("raw-energy", raw_energy, 1,
         "energy before preemphasis and windowing"),
    BOOL("htk-compat", htk_compat, 0,
         "energy or C0 last; mfcc: C0 times sqrt(2)"),
    INT("num-ceps", num_ceps, 13, 1, 1000, NULL,
        "cepstral coefficients, C0 included"),
    NUM("cepstral-lifter", cepstral_lifter, 22, 0, 10000, NULL,
        "Q of 1 + Q/2 sin(pi i / Q); 0: off"),
    BOOL("use-log-fbank", use_log_fbank, 1, "fbank: logarithm of the energies"),
    BOOL("use-power", use_power, 1, "fbank: power, else magnitude"),
    INT("lpc-order", lpc_order, 12, 1, 100, NULL, "plp: poles"),
    NUM("compress-factor", compress_factor, 0.33333, 0.001, 1, NULL,
        "plp: exponent from intensity to loudness"),
    NUM("cepstral-scale", cepstral_scale, 1, 0, 1e6, NULL,
        "plp: factor on all coefficients but the energy"),

    NUM("min-f0", min_f0, 50, 1, 10000, "Hz", "lowest pitch"),
    NUM("max-f0", max_f0, 400, 1, 10000, "Hz", "highest pitch"),
    NUM("soft-min-f0", soft_min_f0, 10, 0, 10000, "Hz",
        "how strongly low pitch is disfavoured; at most min-f0"),
    NUM("penalty-factor", penalty_factor, 0.1, 1e-6, 1e6, NULL,
        "cost of a change of pitch"),
    NUM("lowpass-cutoff", lowpass_cutoff, 1000, 10, 96000, "Hz",
        "of the filter in front of the pitch tracker"),
    NUM("resample-frequency", resample_frequency, 4000, 100, 192000, "Hz",
        "rate that the pitch tracker works at; more than twice "
        "lowpass-cutoff"),
    NUM("delta-pitch", delta_pitch, 0.005, 0.0001, 0.5, NULL,
        "relative step from one candidate to the next"),
    NUM("nccf-ballast", nccf_ballast, 7000, 0, 1e12, NULL,
        "lowers the correlation of quiet frames"),
    BOOL("nccf-ballast-online", nccf_ballast_online, 0,
         "take the energy for the ballast up to the frame, so that frames come "
         "as the audio does; else of the whole recording, and they come at "
         "its end"),
    INT("lowpass-filter-width", lowpass_filter_width, 1, 1, 100, NULL,
        "zeros on each side of the low-pass filter"),
    INT("upsample-filter-width", upsample_filter_width, 5, 1, 100, NULL,
        "zeros on each side of the filter between correlation lags"),
    INT("max-frames-latency", max_frames_latency, 0, 0, 1000, "frames",
        "with nccf-ballast-online: decide on a frame after this many more; 0: "
        "when all paths agree"),
    INT("recompute-frame", recompute_frame, 500, 0, 1000000, "frames",
        "how many of the first frames are corrected when the end of the "
        "recording changes its energy by more than 1 %"),

    BOOL("process-pitch", process_pitch, 0,
         "pitch features as of process-kaldi-pitch-feats instead of "
         "correlation and Hz"),
    NUM("pitch-scale", pitch_scale, 2, 0, 1e6, NULL, "on normalised log pitch"),
    NUM("pov-scale", pov_scale, 2, 0, 1e6, NULL, "on the voicing feature"),
    NUM("pov-offset", pov_offset, 0, -1e6, 1e6, NULL,
        "added to the voicing feature"),
    NUM("delta-pitch-scale", delta_pitch_scale, 10, 0, 1e6, NULL,
        "on the delta of log pitch"),
    NUM("delta-pitch-noise-stddev", delta_pitch_noise_stddev, 0, 0, 1e6, NULL,
        "deviation of Gaussian noise on the delta, before scaling (Kaldi: "
        "0.005)"),
    INT("normalization-left-context", normalization_left_context, 75, 0, 100000,
        "frames", "past of the mean that log pitch is normalised by"),
    INT("normalization-right-context", normalization_right_context, 75, 0,
        100000, "frames", "future of that mean; delays the frames as much"),
    INT("pitch-delta-window", pitch_delta_window, 2, 1, 1000, "frames",
        "on each side of the delta of log pitch (Kaldi: --delta-window)"),
    INT("delay", delay, 0, 0, 100000, "frames",
        "by which processed pitch comes later than it is"),
    BOOL("add-pov-feature", add_pov_feature, 1, "voicing"),
    BOOL("add-normalized-log-pitch", add_normalized_log_pitch, 1,
         "log pitch less its voicing-weighted mean"),
    BOOL("add-delta-pitch", add_delta_pitch, 1, "delta of log pitch"),
    BOOL("add-raw-log-pitch", add_raw_log_pitch, 0, "log pitch as it is"),
    SN_OPT_END};

bool sni_kaldi_use_energy(const sni_kaldi_opts *o) {
  if (o->use_energy == 0) return o->kind != SNI_KALDI_FBANK;
  return o->use_energy % 2 == 1; /* true, yes and 1 have the odd places */
}

double sni_kaldi_preemphasis(const sni_kaldi_opts *o) {
  if (o->preemphasis_coefficient >= 0.0) return o->preemphasis_coefficient;
  return o->kind == SNI_KALDI_PITCH ? 0.0 : 0.97;
}
