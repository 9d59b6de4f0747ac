/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/feat.h - feature pipelines: push samples, pull frames.
 *
 * A configuration (dialect, kind, options) makes an immutable plan (sn_feat);
 * each stream of audio has an sn_feat_stream of its own. Files and live audio
 * use the same code: the frames do not depend on how the samples are cut. */
#ifndef SN_FRONTEND_FEAT_H
#define SN_FRONTEND_FEAT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/mat.h"
#include "base/status.h"
#include "base/str.h"
#include "frontend/postproc.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_feat_dialect { SN_FEAT_KALDI, SN_FEAT_SPHINX } sn_feat_dialect;

/* Settings as name/value pairs, checked when they are set: option names are
 * Kaldi's or sphinx_fe's own. */
typedef struct sn_feat_config sn_feat_config;
SN_NODISCARD sn_status sn_feat_config_create(sn_feat_dialect dialect,
                                             sn_feat_config **out, sn_err *err);
SN_NODISCARD sn_status sn_feat_config_copy(const sn_feat_config *from,
                                           sn_feat_config **out, sn_err *err);
void sn_feat_config_destroy(sn_feat_config *c);
/* Unknown names and bad values: SN_EARG, the nearest name suggested. */
SN_NODISCARD sn_status sn_feat_config_set(sn_feat_config *c, const char *name,
                                          const char *value, sn_err *err);
/* The value as text, whether set or the default; NULL for a name that is
 * neither an option nor, in the sphinx dialect, kept from feat.params.
 * Borrowed until the configuration goes. */
const char *sn_feat_config_get(const sn_feat_config *c, const char *name);
/* Sphinx: "-name value" pairs of a feat.params or argument file. Options of
 * other parts of Sphinx are kept (sn_feat_config_get) but do nothing here.
 * Kaldi: "--name=value" lines. Errors: SN_EIO; SN_EFORMAT, path:line, for
 * names that are nobody's and bad values; the settings before it are made. */
SN_NODISCARD sn_status sn_feat_config_read_params(sn_feat_config *c,
                                                  const char *path,
                                                  sn_err *err);
/* Every setting that differs from its default, in a fixed order, for model
 * files: i from 0 until NULL. */
const char *sn_feat_config_at(const sn_feat_config *c, size_t i,
                              const char **value);
sn_feat_dialect sn_feat_config_dialect(const sn_feat_config *c);
/* Whether whole features take the mean of the speaker (cmn = speaker, Kaldi's
 * dialect), for which the base features of all of a speaker's recordings are
 * needed first. */
bool sn_feat_config_wants_speaker(const sn_feat_config *c);

/* The dialect's options with units, defaults and ranges, for a reader. */
SN_NODISCARD sn_status sn_feat_help(sn_feat_dialect dialect, sn_str *out,
                                    sn_err *err);

/* How far the pipeline goes. */
typedef enum sn_feat_stage {
  SN_FEAT_BASE, /* before CMN and deltas: what sphinx_fe and compute-*-feats
                   write, to the last frame */
  SN_FEAT_FULL  /* for recognition: CMN/CMVN, deltas or splicing, transforms.
                   Sphinx: the base frames are those of SN_FEAT_BASE, but the
                   few that sphinx_fe loses at the very end of a recording are
                   here (frontend/sphinx_extract.c tells which) */
} sn_feat_stage;

typedef struct sn_feat sn_feat; /* the plan; share it */
SN_NODISCARD sn_status sn_feat_create(const sn_feat_config *c,
                                      sn_feat_stage stage, sn_feat **out,
                                      sn_err *err);
void sn_feat_destroy(sn_feat *f);
size_t sn_feat_dim(const sn_feat *f);
double sn_feat_rate_hz(const sn_feat *f);       /* of the samples it wants */
double sn_feat_frame_shift_s(const sn_feat *f); /* 0.01 */
double sn_feat_frame_length_s(const sn_feat *f);

typedef struct sn_feat_stream sn_feat_stream;
/* Where the configuration has no CMN, there is none in any mode. */
typedef enum sn_cmn_mode {
  SN_CMN_DEFAULT, /* what the configuration says */
  SN_CMN_BATCH,   /* mean of the whole utterance: no frame before finish */
  SN_CMN_LIVE     /* running mean: frames come as the audio does */
} sn_cmn_mode;
/* f is borrowed. Errors: SN_EARG where the configuration cannot be had in that
 * mode (variances or gain control live), SN_ENOMEM. */
SN_NODISCARD sn_status sn_feat_stream_create(const sn_feat *f, sn_cmn_mode cmn,
                                             sn_feat_stream **out, sn_err *err);
/* The same with the statistics of the speaker's base frames, which the kaldi
 * dialect's cmn "speaker" needs (copied; NULL: none). */
SN_NODISCARD sn_status sn_feat_stream_create_for(const sn_feat *f,
                                                 sn_cmn_mode cmn,
                                                 const sn_cmvn_stats *speaker,
                                                 sn_feat_stream **out,
                                                 sn_err *err);
void sn_feat_stream_destroy(sn_feat_stream *s);
/* samples: mono at sn_feat_rate_hz, in units of 16-bit PCM (-32768 .. 32767)
 * as float. NaN or infinity: SN_EFORMAT with the sample's index, and the
 * stream is as before. SN_ENOMEM: frames are lost; nothing but reset and
 * destroy works. After finish: SN_EARG. */
SN_NODISCARD sn_status sn_feat_stream_push(sn_feat_stream *s,
                                           const float *samples, size_t n,
                                           sn_err *err);
/* No more samples will come: the last frames become ready. 0 samples make no
 * frame, nor do fewer than a frame's in the kaldi dialect with snip-edges, and
 * in the sphinx dialect with remove_silence. */
SN_NODISCARD sn_status sn_feat_stream_finish(sn_feat_stream *s, sn_err *err);
bool sn_feat_stream_finished(const sn_feat_stream *s);
/* Frames ready to be pulled now. */
size_t sn_feat_stream_ready(const sn_feat_stream *s);
/* Takes up to out.rows frames ([rows x dim]); *n says how many. positions
 * ([out.rows], may be NULL) gets each frame's index in the audio, in frame
 * shifts: removed frames leave gaps, so times stay those of the audio. */
SN_NODISCARD sn_status sn_feat_stream_pull(sn_feat_stream *s, sn_mat out,
                                           int64_t *positions, size_t *n,
                                           sn_err *err);
/* Ready for the next utterance; keeps memory. keep_cmn: what was learnt of the
 * channel stays (sphinx: live CMN's mean, noise levels; levels of the pause
 * detector); otherwise the stream is as after create. */
void sn_feat_stream_reset(sn_feat_stream *s, bool keep_cmn);
/* Trailing non-speech at the current end, seconds, as the pipeline's own
 * speech detection sees it (for end-of-utterance); 0 while in speech. Before
 * any speech: all of the audio. Speech ends only when a pause has lasted (0.3
 * s; with the sphinx dialect's remove_silence vad_postspeech frames), and the
 * pause then counts from its beginning. */
double sn_feat_stream_trailing_pause_s(const sn_feat_stream *s);
bool sn_feat_stream_in_speech(const sn_feat_stream *s);
#ifdef __cplusplus
}
#endif
#endif
