/* SPDX-License-Identifier: Apache-2.0 */
/* The means of speakers, for alignment by models that want them: a pass over
 * the recordings before the one that aligns. */
#include "base/mem.h"
#include "frontend/feat_file.h"
#include "train/force_align.h"

typedef struct hearing {
  const sn_utt *utts;
  size_t n;
  sn_feat *base;
  sn_spk_cmvn *speakers;
  sn_mat *frames; /* [n], each from work to emit */
  sn_log *log;
} hearing;

static sn_status work(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  hearing *const h = user;
  const sn_utt *const u = &h->utts[i];
  const sn_audio_opts opts = {
      .channel = SN_CHANNEL_FIRST, .begin_s = u->begin_s, .end_s = u->end_s};
  sn_err own = {SN_OK, ""};
  if (sn_log_cancelled(h->log)) return sn_fail(err, SN_ECANCEL, "interrupted");
  const sn_status s = sn_feat_recording(h->base, NULL, u->path, &opts, NULL,
                                        &h->frames[i], &own);
  return s == SN_ENOMEM ? sn_fail(err, s, "%s", own.msg) : SN_OK;
}

static sn_status emit(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  hearing *const h = user;
  const sn_utt *const u = &h->utts[i];
  sn_status s = SN_OK;
  if (h->frames[i].rows > 0)
    s = sn_spk_cmvn_add(h->speakers, sn_utt_speaker(u),
                        sn_mat_const(h->frames[i]), err);
  sn_mat_free(&h->frames[i]);
  if (h->n > 1)
    sn_log_progress(h->log, "speaker statistics", "recordings", (int64_t)i + 1,
                    (int64_t)h->n, i + 1 == h->n);
  return s;
}

sn_status sn_align_speakers(const sn_am *am, const sn_utt *utts, size_t n,
                            sn_pool *pool, sn_log *log, sn_spk_cmvn **out,
                            sn_err *err) {
  const sn_feat_config *const c = sn_am_feat(am);
  hearing h = {.utts = utts, .n = n, .log = log};
  *out = NULL;
  if (!sn_feat_config_wants_speaker(c)) return SN_OK;
  h.frames = sn_calloc(n, sizeof *h.frames);
  sn_status s = h.frames == NULL ? sn_fail_nomem(err, "speakers") : SN_OK;
  if (s == SN_OK) s = sn_feat_create(c, SN_FEAT_BASE, &h.base, err);
  if (s == SN_OK) s = sn_spk_cmvn_create(sn_feat_dim(h.base), &h.speakers, err);
  if (s == SN_OK) s = sn_pool_ordered(pool, n, 0, work, emit, &h, err);
  for (size_t i = 0; h.frames != NULL && i < n; i++) sn_mat_free(&h.frames[i]);
  sn_free(h.frames);
  sn_feat_destroy(h.base);
  if (s != SN_OK) {
    sn_spk_cmvn_destroy(h.speakers);
    return s;
  }
  *out = h.speakers;
  return SN_OK;
}
