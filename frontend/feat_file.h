/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/feat_file.h - recordings to frames, frames to files. */
#ifndef SN_FRONTEND_FEAT_FILE_H
#define SN_FRONTEND_FEAT_FILE_H
#include "base/log.h"
#include "base/mat.h"
#include "base/status.h"
#include "frontend/audio.h"
#include "frontend/feat.h"
#ifdef __cplusplus
extern "C" {
#endif

/* All frames of a recording or of part of it.
 * speaker  see sn_feat_stream_create_for; may be NULL
 * audio    channel, part, rate of raw files; the wanted rate is f's. May be
 *          NULL.
 * log      may be NULL; gets a warning for a recording without samples or
 *          without frames, and one for a rate below f's
 * out      [T x dim], owned by the caller (sn_mat_free); T may be 0
 * Errors: those of reading audio and of the stream; the path is named. */
SN_NODISCARD sn_status sn_feat_recording(const sn_feat *f,
                                         const sn_cmvn_stats *speaker,
                                         const char *path,
                                         const sn_audio_opts *audio,
                                         sn_log *log, sn_mat *out, sn_err *err);

/* Where frames are written to, an utterance at a time. */
typedef struct sn_feat_sink sn_feat_sink;

/* How an HTK file describes its frames. */
typedef enum sn_htk_kind {
  SN_HTK_MFCC_0 = 6 | 020000, /* cepstra; c0 is moved from the front to the end,
                                 as HTK and sphinx_fe have it */
  SN_HTK_FBANK = 7,
  SN_HTK_USER = 9,
  SN_HTK_PLP = 11
} sn_htk_kind;

typedef struct sn_feat_sink_opts {
  sn_htk_kind htk_kind;
  double frame_shift_s;
} sn_feat_sink_opts;

/* spec: "ark:PATH", "ark,t:PATH", "ark,scp:ARK,SCP" (Kaldi tables; "-" is
 * stdout), "htk:DIR" (DIR/ID.htk) or "sphinx:DIR" (DIR/ID.mfc; what sphinx_fe
 * writes). Directories are made. Errors: SN_EARG for another spec, SN_EIO. */
SN_NODISCARD sn_status sn_feat_sink_open(const char *spec,
                                         const sn_feat_sink_opts *opts,
                                         sn_feat_sink **out, sn_err *err);
/* Errors: SN_EARG for an id that cannot name a file in DIR, or frames that are
 * too many or too wide for the format; SN_EIO. */
SN_NODISCARD sn_status sn_feat_sink_write(sn_feat_sink *s, const char *id,
                                          sn_cmat frames, sn_err *err);
/* Tables appear now; the files in directories are there already. */
SN_NODISCARD sn_status sn_feat_sink_commit(sn_feat_sink *s, sn_err *err);
void sn_feat_sink_destroy(sn_feat_sink *s); /* NULL is fine */
#ifdef __cplusplus
}
#endif
#endif
