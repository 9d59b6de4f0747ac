/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings to frames.
 *
 * Samples go through in blocks, so memory is that of the frames alone. */
#include "frontend/feat_file.h"

#include "base/mem.h"

enum { block_samples = 16384 };

static sn_status run(sn_audio *a, sn_feat_stream *s, float *block,
                     int64_t *n_samples, sn_err *err) {
  for (;;) {
    size_t got;
    SN_TRY(sn_audio_read(a, block, block_samples, &got, err));
    if (got == 0) return sn_feat_stream_finish(s, err);
    *n_samples += (int64_t)got;
    SN_TRY(sn_feat_stream_push(s, block, got, err));
  }
}

static sn_status take(sn_feat_stream *s, size_t dim, sn_mat *out, sn_err *err) {
  const size_t n_frames = sn_feat_stream_ready(s);
  SN_TRY(sn_mat_alloc(n_frames, dim, out, err));
  size_t n;
  const sn_status status = sn_feat_stream_pull(s, *out, NULL, &n, err);
  SN_ASSERT(status != SN_OK || n == n_frames);
  if (status != SN_OK) sn_mat_free(out);
  return status;
}

static void warn(const sn_feat *f, const sn_audio *a, const char *path,
                 int64_t n_samples, size_t n_frames, sn_log *log) {
  const double has = sn_audio_source_rate_hz(a), wants = sn_feat_rate_hz(f);
  if (has < wants)
    sn_warn(log,
            "%s: recorded at %g Hz, the front end is for %g Hz: what it "
            "expects above %g Hz is missing",
            path, has, wants, has / 2);
  if (n_samples == 0)
    sn_warn(log, "%s: no samples; the result is empty", path);
  else if (n_frames == 0)
    sn_warn(log, "%s: %lld samples made no frame: too short, or no speech",
            path, (long long)n_samples);
}

sn_status sn_feat_recording(const sn_feat *f, const sn_cmvn_stats *speaker,
                            const char *path, const sn_audio_opts *audio,
                            sn_log *log, sn_mat *out, sn_err *err) {
  *out = (sn_mat){0};
  sn_audio_opts opts = {.channel = SN_CHANNEL_FIRST};
  if (audio != NULL) opts = *audio;
  opts.rate_hz = sn_feat_rate_hz(f);
  sn_audio *a = NULL;
  sn_feat_stream *s = NULL;
  float *block = sn_calloc(block_samples, sizeof *block);
  int64_t n_samples = 0;
  sn_status status;
  if (block == NULL) {
    status = sn_fail_nomem(err, "samples");
    goto fail;
  }
  SN_TRY_GOTO(status,
              sn_feat_stream_create_for(f, SN_CMN_DEFAULT, speaker, &s, err));
  SN_TRY_GOTO(status, sn_audio_open(path, &opts, log, &a, err));
  status = run(a, s, block, &n_samples, err);
  if (status == SN_OK) status = take(s, sn_feat_dim(f), out, err);
  if (status == SN_OK) warn(f, a, path, n_samples, out->rows, log);
fail:
  sn_free(block);
  sn_feat_stream_destroy(s);
  sn_audio_destroy(a);
  return status;
}
