/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/datadir.h - Kaldi-style data directories: wav.scp, segments, text,
 * utt2spk. Source: kaldi-asr.org/doc/data_prep.html. */
#ifndef SN_FRONTEND_DATADIR_H
#define SN_FRONTEND_DATADIR_H
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_utt {
  const char *id;
  const char *path;      /* of the recording, resolved */
  double begin_s, end_s; /* end_s < 0: all of it */
  const char *text;      /* NULL without a text file */
  const char *speaker;   /* NULL without utt2spk */
} sn_utt;

/* All strings are owned by the directory object. */
typedef struct sn_datadir {
  sn_utt *utts;
  size_t n;
  struct sni_datadir_store *store;
} sn_datadir;

/* Utterances in the order of segments, else wav.scp. A relative path in
 * wav.scp belongs to the corpus folder, which is the parent of `dir`; a pipe
 * ("sph2pipe ... |") is refused with what to do instead. Every fault is named
 * with file and line; the first is returned, the others go to log. */
SN_NODISCARD sn_status sn_datadir_load(const char *dir, sn_log *log,
                                       sn_datadir *out, sn_err *err);
/* The same, but that a recording is not there is no fault: opening it will
 * tell, and the others can be used. */
SN_NODISCARD sn_status sn_datadir_load_unchecked(const char *dir, sn_log *log,
                                                 sn_datadir *out, sn_err *err);
void sn_datadir_clear(sn_datadir *d);
/* Its speaker; where none is known it is one of its own, by its id. Borrowed.
 */
const char *sn_utt_speaker(const sn_utt *u);

/* ---- Lines, for other readers of the same files ---- */
/* What is wrong goes to why [n] as text; false is returned. */

/* A line is UTF-8 without NUL. */
bool sn_datadir_line_ok(sn_span line, char *why, size_t n);
/* What stands behind a recording's id in wav.scp: a path, no command. */
bool sn_datadir_path_ok(sn_span id, sn_span path, char *why, size_t n);
/* What stands behind an utterance's id in segments: RECORDING BEGIN END. */
typedef struct sn_datadir_segment {
  sn_span recording;     /* borrowed from the line */
  double begin_s, end_s; /* end_s -1: the recording's end */
} sn_datadir_segment;
bool sn_datadir_segment_parse(sn_span rest, sn_datadir_segment *out, char *why,
                              size_t n);
#ifdef __cplusplus
}
#endif
#endif
