/* SPDX-License-Identifier: Apache-2.0 */
/* The kaldi dialect as feat.c sees it: a plan, and streams of it. */
#include "base/mem.h"
#include "frontend/kaldi_internal.h"

static sn_status fill(sni_kaldi_plan *p, sn_err *err) {
  const sni_kaldi_opts *const o = &p->o;
  if (o->kind == SNI_KALDI_PITCH) {
    p->dim = o->process_pitch ? sni_pitch_post_dim(o) : 2;
    SN_TRY(sni_pitch_plan_create(o, &p->pitch, err));
    p->shift_s =
        (double)(int32_t)(o->resample_frequency * o->frame_shift / 1000.0) /
        o->resample_frequency;
    p->length_s = o->frame_length / 1000.0;
    return SN_OK;
  }
  SN_TRY(sni_kaldi_tables_init(o, &p->tables, err));
  p->dim = o->kind == SNI_KALDI_FBANK
               ? (size_t)o->num_mel_bins + (sni_kaldi_use_energy(o) ? 1 : 0)
               : (size_t)o->num_ceps;
  p->shift_s = (double)p->tables.window.shift / o->sample_frequency;
  p->length_s = (double)p->tables.window.size / o->sample_frequency;
  return SN_OK;
}

sn_status sni_kaldi_plan_create_opts(const sni_kaldi_opts *o,
                                     sni_kaldi_plan **out, sn_err *err) {
  SN_ASSERT(o != NULL && out != NULL);
  *out = NULL;
  sni_kaldi_plan *const p = sn_calloc(1, sizeof *p);
  if (p == NULL) return sn_fail_nomem(err, "kaldi features");
  p->o = *o;
  const sn_status s = fill(p, err);
  if (s != SN_OK) {
    sni_kaldi_plan_destroy(p);
    return s;
  }
  *out = p;
  return SN_OK;
}

sn_status sni_kaldi_plan_create(const struct sn_feat_config *c,
                                sni_kaldi_plan **out, sn_err *err) {
  return sni_kaldi_plan_create_opts(sni_feat_config_kaldi(c), out, err);
}

void sni_kaldi_plan_destroy(sni_kaldi_plan *p) {
  if (p == NULL) return;
  sni_kaldi_tables_clear(&p->tables);
  sni_pitch_plan_destroy(p->pitch);
  sn_free(p);
}

size_t sni_kaldi_plan_dim(const sni_kaldi_plan *p) { return p->dim; }
double sni_kaldi_plan_rate_hz(const sni_kaldi_plan *p) {
  return p->o.sample_frequency;
}
double sni_kaldi_plan_shift_s(const sni_kaldi_plan *p) { return p->shift_s; }
double sni_kaldi_plan_length_s(const sni_kaldi_plan *p) { return p->length_s; }

sn_status sni_kaldi_extractor_create(const sni_kaldi_plan *p,
                                     sni_extractor **out, sn_err *err) {
  return p->o.kind == SNI_KALDI_PITCH
             ? sni_pitch_extractor_create(p, out, err)
             : sni_spectral_extractor_create(p, out, err);
}
