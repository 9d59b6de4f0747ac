/* SPDX-License-Identifier: Apache-2.0 */
/* One stream: samples -> (resampler) -> features -> scores -> search. */
#include <math.h>

#include "api/api_internal.h"
#include "base/mem.h"

/* Samples are converted and frames searched in pieces of this size, so that a
 * large push needs no large buffer, and poll is asked now and then. */
#define PIECE_SAMPLES 1024
#define FRAMES_BETWEEN_POLLS 256
/* Lattice beam where only adaptation looks at the lattice. */
#define OBSERVE_BEAM 4.0f

struct senone_recognizer {
  const senone_model *model;
  sn_settings settings;
  sn_feat_stream *feats;
  sn_scorer *scorer;
  sn_decoder *decoder;
  sni_resampler *resampler; /* NULL: samples come at the model's rate */
  double rate_hz;           /* of the samples in this utterance; 0: none yet */
  int64_t n_samples;        /* pushed in this utterance, at rate_hz */
  double begin_s;           /* of the utterance in the stream */
  bool wants_lattice;
  sni_portions portions; /* of the utterance's lattice, where one is wanted */
  sn_lat lat;            /* of the finished utterance */
  bool finished, failed, warned;
  const senone_speaker *speaker; /* borrowed; NULL: not known */
  sn_am *moved; /* the Gaussians by his MLLR; NULL: he has none */
};

/* Features after the speaker's transform go with the model's own Gaussians,
 * others with those of the first pass, moved where his MLLR says so. */
static sn_status make_scorer(senone_recognizer *r, sn_err *err) {
  const senone_model *const m = r->model;
  const sn_transform *const t =
      r->speaker != NULL ? r->speaker->transform : NULL;
  const sn_am *const am = r->moved != NULL ? r->moved
                          : t == NULL      ? sni_adapt_unmoved(m)
                                           : m->am;
  SN_TRY(sn_am_scorer_create(am, r->feats, &r->scorer, err));
  sn_am_scorer_keep(r->scorer, r->settings.observe);
  return sn_am_scorer_set_transform(r->scorer, t, err);
}

/* The stream of features: by the speaker's mean where the front end asks for
 * it and there is one. */
static sn_status make_feats(senone_recognizer *r, sn_err *err) {
  const senone_model *const m = r->model;
  const sn_cmn_mode mode =
      r->settings.cmn == SN_SETTINGS_CMN_BATCH ? SN_CMN_BATCH : SN_CMN_LIVE;
  const sn_cmvn_stats *const cmvn = r->speaker != NULL &&
                                            r->speaker->cmvn != NULL &&
                                            r->speaker->cmvn->count > 0
                                        ? r->speaker->cmvn
                                        : NULL;
  sn_scorer_destroy(r->scorer); /* it reads from the old stream */
  r->scorer = NULL;
  sn_feat_stream_destroy(r->feats);
  r->feats = NULL;
  if (cmvn != NULL)
    return sn_feat_stream_create_for(m->feat, SN_CMN_DEFAULT, cmvn, &r->feats,
                                     err);
  return sn_feat_stream_create(
      m->adapt.alone != NULL ? m->adapt.alone : m->feat, mode, &r->feats, err);
}

static sn_status start(senone_recognizer *r, sn_err *err) {
  sn_scorer_destroy(r->scorer);
  r->scorer = NULL;
  r->n_samples = 0;
  r->rate_hz = 0.0;
  r->finished = false;
  r->failed = true;
  sn_lat_clear(&r->lat);
  sni_portions_clear(&r->portions);
  sni_resampler_destroy(r->resampler);
  r->resampler = NULL;
  SN_TRY(make_scorer(r, err));
  SN_TRY(sn_decoder_start(r->decoder, err));
  if (r->wants_lattice)
    SN_TRY(sni_portions_begin(&r->portions, r->model, &r->settings, r->decoder,
                              err));
  r->failed = false;
  return SN_OK;
}

static sn_status create(senone_recognizer *r, sn_err *err) {
  const sn_settings *const set = &r->settings;
  sn_decoder_opts o = r->model->decode;
  if (set->beam > 0.0f) o.beam = set->beam;
  if (set->max_active > 0) o.max_active = set->max_active;
  if (set->min_active > 0) o.min_active = set->min_active;
  if (o.min_active > o.max_active) o.min_active = o.max_active;
  if (set->lm_scale > 0.0) o.acoustic_scale = (float)(1.0 / set->lm_scale);
  if (set->lattice_beam > 0.0f) o.lattice_beam = set->lattice_beam;
  if (set->lattice_stretch > 0) o.lattice_stretch = set->lattice_stretch;
  r->wants_lattice = sni_wants_lattice(r->model, set);
  if (!r->wants_lattice) o.lattice_beam = set->observe ? OBSERVE_BEAM : 0.0f;
  SN_TRY(sn_decoder_create(r->model->graph, &o, &r->decoder, err));
  SN_TRY(make_feats(r, err));
  return start(r, err);
}

senone_status senone_recognizer_create(const senone_model *m,
                                       const senone_options *options,
                                       senone_recognizer **out,
                                       senone_error *error) {
  *out = NULL;
  sn_err err = {0};
  senone_recognizer *const r = sn_calloc(1, sizeof *r);
  sn_status s = SN_ENOMEM;
  if (r == NULL) {
    s = sn_fail_nomem(&err, "recognizer");
  } else {
    r->model = m;
    r->settings = options != NULL ? options->settings : m->settings;
    s = create(r, &err);
  }
  if (s != SN_OK) {
    senone_recognizer_destroy(r);
    return sni_report(&err, s, error);
  }
  *out = r;
  return SENONE_OK;
}

void senone_recognizer_destroy(senone_recognizer *r) {
  if (r == NULL) return;
  sn_lat_clear(&r->lat);
  sni_portions_clear(&r->portions);
  sn_scorer_destroy(r->scorer);
  sn_decoder_destroy(r->decoder);
  sn_feat_stream_destroy(r->feats);
  sni_resampler_destroy(r->resampler);
  sn_am_destroy(r->moved);
  sn_free(r);
}

static sn_status check_usable(const senone_recognizer *r, sn_err *err) {
  if (r->failed)
    return sn_fail(err, SN_EARG,
                   "the recognizer failed before; reset or destroy it");
  return SN_OK;
}

/* What the decoder has settled of the lattice becomes words. */
static sn_status take_stretches(senone_recognizer *r, sn_err *err) {
  sn_lat lat;
  while (r->wants_lattice &&
         sn_decoder_take_stretch(r->decoder, r->model->ali_of, &lat)) {
    const sn_status s =
        sni_portions_add(&r->portions, r->decoder, &lat, false, err);
    sn_lat_clear(&lat);
    SN_TRY(s);
  }
  return SN_OK;
}

/* Searches the frames that are ready, asking poll in between. */
static sn_status search(senone_recognizer *r, sn_err *err) {
  const sni_callbacks *const cb = &r->model->callbacks;
  while (sn_decoder_n_frames(r->decoder) <
         r->scorer->ops->n_frames_ready(r->scorer)) {
    SN_TRY(sn_decoder_advance_by(r->decoder, r->scorer, FRAMES_BETWEEN_POLLS,
                                 err));
    SN_TRY(take_stretches(r, err));
    if (cb->poll != NULL && cb->poll(cb->user) != 0)
      return sn_fail(err, SN_ECANCEL, "interrupted");
  }
  return SN_OK;
}

/* Samples in 16-bit units at the stream's rate. */
static sn_status take(senone_recognizer *r, const float *samples, size_t n,
                      bool last, sn_err *err) {
  if (r->resampler != NULL)
    SN_TRY(
        sni_resampler_push(r->resampler, samples, n, last, &samples, &n, err));
  if (n > 0) SN_TRY(sn_feat_stream_push(r->feats, samples, n, err));
  return search(r, err);
}

static sn_status set_rate(senone_recognizer *r, double rate_hz, sn_err *err) {
  const double wanted = senone_model_rate_hz(r->model);
  if (rate_hz == 0.0) rate_hz = wanted;
  if (r->rate_hz == rate_hz) return SN_OK;
  if (!(rate_hz >= 100.0 && rate_hz <= 1e7))
    return sn_fail(err, SN_EARG, "sampling rate %g Hz is not in 100 .. 1e7",
                   rate_hz);
  if (r->rate_hz != 0.0)
    return sn_fail(err, SN_EARG,
                   "the sampling rate changes from %g to %g Hz within an "
                   "utterance",
                   r->rate_hz, rate_hz);
  if (rate_hz != wanted)
    SN_TRY(sni_resampler_create(rate_hz, wanted, &r->resampler, err));
  r->rate_hz = rate_hz;
  if (rate_hz < wanted && !r->warned) {
    sn_warn(r->model->log,
            "%g Hz audio for a %g Hz model: there is nothing above %g Hz, "
            "which the model was trained to hear; expect more errors",
            rate_hz, wanted, rate_hz / 2);
    r->warned = true; /* once a recognizer */
  }
  return SN_OK;
}

/* Exactly one of i16, f32 is given. */
static sn_status push(senone_recognizer *r, const int16_t *i16,
                      const float *f32, size_t n, double rate_hz, sn_err *err) {
  SN_TRY(check_usable(r, err));
  if (r->finished)
    return sn_fail(err, SN_EARG, "samples after finish: call next or reset");
  SN_TRY(set_rate(r, rate_hz, err));
  float piece[PIECE_SAMPLES];
  for (size_t done = 0; done < n;) {
    const size_t k = n - done < PIECE_SAMPLES ? n - done : PIECE_SAMPLES;
    for (size_t i = 0; i < k; i++) {
      piece[i] = i16 != NULL ? (float)i16[done + i] : f32[done + i] * 32768.0f;
      if (!isfinite(piece[i]))
        return sn_fail(err, SN_EFORMAT, "sample %lld is not a finite number",
                       (long long)(r->n_samples + (int64_t)i));
    }
    SN_TRY(take(r, piece, k, false, err));
    r->n_samples += (int64_t)k;
    done += k;
  }
  return SN_OK;
}

static senone_status push_any(senone_recognizer *r, const int16_t *i16,
                              const float *f32, size_t n, double rate_hz,
                              senone_error *error) {
  sn_err err = {0};
  const sn_status s = push(r, i16, f32, n, rate_hz, &err);
  if (s != SN_OK) r->failed = true;
  return sni_report(&err, s, error);
}

senone_status senone_recognizer_push_i16(senone_recognizer *r,
                                         const int16_t *samples, size_t n,
                                         double rate_hz, senone_error *error) {
  return push_any(r, samples, NULL, n, rate_hz, error);
}

senone_status senone_recognizer_push_f32(senone_recognizer *r,
                                         const float *samples, size_t n,
                                         double rate_hz, senone_error *error) {
  return push_any(r, NULL, samples, n, rate_hz, error);
}

static double length_s(const senone_recognizer *r) {
  return r->rate_hz > 0.0 ? (double)r->n_samples / r->rate_hz : 0.0;
}

int senone_recognizer_at_endpoint(const senone_recognizer *r) {
  if (r->failed || r->finished) return 0;
  const sn_settings *const set = &r->settings;
  const double pause_s = sn_feat_stream_trailing_pause_s(r->feats);
  if (pause_s <= 0.0) return 0;
  if (pause_s >= set->endpoint_silence_s) return 1;
  const bool spoke =
      pause_s + 0.05 < length_s(r) && sn_decoder_has_words(r->decoder);
  if (!spoke) return 0;
  if (pause_s >= set->endpoint_pause_s) return 1;
  return length_s(r) >= set->endpoint_length_s &&
         pause_s >= set->endpoint_pause_s / 4;
}

static void log_stats(const senone_recognizer *r) {
  const sn_decoder_stats st = sn_decoder_get_stats(r->decoder);
  const double n = st.n_frames > 0 ? (double)st.n_frames : 1.0;
  sn_debug(r->model->log,
           "searched %lld frames: %.0f tokens, %.0f arcs, %.0f epsilon arcs "
           "(%.1f again), %.1f records a frame; %zu records at most, %.1f MB",
           (long long)st.n_frames, (double)st.n_tokens / n,
           (double)st.n_arcs / n, (double)st.n_eps / n,
           (double)st.n_requeued / n, (double)st.n_records / n, st.records_peak,
           (double)st.n_bytes / 1e6);
}

/* The rest of the utterance's lattice, and all of it where it is kept. */
static sn_status make_lattice(senone_recognizer *r, sn_err *err) {
  sn_lat_det_stats stats;
  sn_lat rest;
  SN_TRY(sn_decoder_lattice(r->decoder, true, r->model->ali_of, NULL, &rest,
                            &stats, err));
  if (rest.n_states > 0 &&
      stats.beam < (double)sn_decoder_lattice_beam(r->decoder))
    sn_log_msg(r->model->log,
               r->settings.keep_lattice ? SN_LOG_WARN : SN_LOG_INFO,
               "the lattice of %.1f s of audio is complete within a beam of "
               "%.3g only: a limit on work or arcs was reached, or a stretch "
               "ended where not all paths met",
               length_s(r), stats.beam);
  const sn_status s =
      sni_portions_add(&r->portions, r->decoder, &rest, true, err);
  sn_lat_clear(&rest);
  SN_TRY(s);
  if (r->portions.n_added > 1)
    sn_info(r->model->log,
            "%.1f s in one utterance: %sanswered in %zu stretches", length_s(r),
            r->portions.second != NULL ? "rescored and " : "",
            r->portions.n_added);
  if (r->portions.beam < HUGE_VAL)
    sn_info(r->model->log,
            "%.1f s of audio: confidences and alternatives are of paths within "
            "%.3g of the best only, for more of them would take too much "
            "memory",
            length_s(r), r->portions.beam);
  return sni_portions_lattice(&r->portions, &r->lat, err);
}

static sn_status finish(senone_recognizer *r, sn_err *err) {
  SN_TRY(check_usable(r, err));
  if (r->finished) return SN_OK;
  if (r->resampler != NULL) SN_TRY(take(r, NULL, 0, true, err));
  SN_TRY(sn_feat_stream_finish(r->feats, err));
  SN_TRY(search(r, err));
  if (r->wants_lattice) SN_TRY(make_lattice(r, err));
  r->finished = true;
  log_stats(r);
  return SN_OK;
}

senone_status senone_recognizer_finish(senone_recognizer *r,
                                       senone_error *error) {
  sn_err err = {0};
  const sn_status s = finish(r, &err);
  if (s != SN_OK) r->failed = true;
  return sni_report(&err, s, error);
}

senone_status senone_recognizer_next(senone_recognizer *r,
                                     senone_error *error) {
  sn_err err = {0};
  sn_status s = check_usable(r, &err);
  if (s == SN_OK) {
    r->begin_s += length_s(r);
    sn_feat_stream_reset(r->feats, true);
    s = start(r, &err);
  }
  return sni_report(&err, s, error);
}

senone_status senone_recognizer_reset(senone_recognizer *r,
                                      senone_error *error) {
  sn_err err = {0};
  r->begin_s = 0.0;
  sn_feat_stream_reset(r->feats, false);
  return sni_report(&err, start(r, &err), error);
}

senone_status senone_recognizer_use_speaker(senone_recognizer *r,
                                            const senone_speaker *p,
                                            senone_error *error) {
  sn_err err = {0};
  sn_status s = SN_OK;
  if (p != NULL && p->model != r->model)
    s = sn_fail(&err, SN_EARG, "the speaker belongs to another model");
  if (s == SN_OK) {
    r->speaker = p;
    r->begin_s = 0.0;
    s = make_feats(r, &err);
    sn_am_destroy(r->moved); /* after the scorer that used it */
    r->moved = NULL;
  }
  if (s == SN_OK && p != NULL && p->mllr != NULL)
    s = sn_mllr_apply(p->mllr, sni_adapt_unmoved(r->model), &r->moved, &err);
  if (s == SN_OK) s = start(r, &err);
  if (s != SN_OK) r->failed = true;
  return sni_report(&err, s, error);
}

senone_status senone_recognizer_observe(senone_recognizer *r,
                                        senone_speaker *to,
                                        senone_error *error) {
  sn_err err = {0};
  const bool has_lattice =
      sni_portions_rescored(&r->portions) || r->portions.n_added > 1;
  const sni_observed seen = {r->decoder, r->scorer,
                             has_lattice ? &r->lat : NULL, r->speaker,
                             r->moved};
  sn_status s = check_usable(r, &err);
  if (s == SN_OK && (!r->settings.observe || !r->finished))
    s = sn_fail(&err, SN_EARG,
                "to observe a speaker set the option \"observe\" and finish "
                "the utterance first");
  if (s == SN_OK && to->model != r->model)
    s = sn_fail(&err, SN_EARG, "the speaker belongs to another model");
  if (s == SN_OK) s = sni_speaker_observe(to, &seen, &err);
  return sni_report(&err, s, error);
}

/* Before finish: the search's best words so far. */
static sn_status partial_answer(senone_recognizer *r, sni_answer *out,
                                sn_err *err) {
  SN_TRY(sn_decoder_best(r->decoder, false, &out->hyp, err));
  if (out->hyp.no_path) out->flags |= SENONE_RESULT_NO_PATH;
  return SN_OK;
}

senone_status senone_recognizer_take_result(senone_recognizer *r,
                                            senone_result **out,
                                            senone_error *error) {
  *out = NULL;
  sn_err err = {0};
  sni_answer answer = {0};
  sn_status s = check_usable(r, &err);
  if (s == SN_OK)
    s = r->finished ? sni_answer_make(&r->settings, r->decoder,
                                      r->wants_lattice ? &r->portions : NULL,
                                      r->n_samples > 0, &answer, &err)
                    : partial_answer(r, &answer, &err);
  if (s == SN_OK)
    s = sni_answer_calibrate(r->model, &r->settings, &answer, &err);
  if (s == SN_OK)
    s = sni_result_create(r->model->graph, &answer, r->begin_s,
                          r->begin_s + length_s(r), out, &err);
  sni_answer_clear(&answer);
  return sni_report(&err, s, error);
}

senone_status senone_recognizer_take_lattice(senone_recognizer *r,
                                             senone_lattice **out,
                                             senone_error *error) {
  *out = NULL;
  sn_err err = {0};
  sn_status s = check_usable(r, &err);
  if (s == SN_OK && !r->finished)
    s = sn_fail(&err, SN_EARG, "a lattice before finish");
  if (s == SN_OK && !r->wants_lattice)
    s = sn_fail(&err, SN_EARG,
                "no lattice was made: set keep-lattice when the recognizer is "
                "created");
  if (s == SN_OK && r->portions.row_is_dropped)
    s = sn_fail(&err, SN_EARG,
                "the lattice of so long an utterance was not kept: set "
                "keep-lattice when the recognizer is created");
  if (s == SN_OK)
    s = sni_lattice_create(r->model, r->decoder, &r->lat, r->begin_s, out,
                           &err);
  return sni_report(&err, s, error);
}
