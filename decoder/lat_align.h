/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_align.h - times by alignment: where the words of a path are said,
 * and when its frames were.
 *
 * A word's label stands on a lattice wherever determinisation and the graph
 * have put it, which may be a phone early; the alignment tells where its phones
 * are. And frames that the front end has removed are not in a lattice. So
 * archives of Senone's recognisers keep two texts beside the lattices
 * (sn_lat_writer_meta): SN_LAT_META_LABELS  a character for each label of the
 * graph, '@' + bits: 1 enters a phone, 2 filler, 4 and 8 position in the word
 * (sn_wordpos) SN_LAT_META_TIMES   a line for each utterance whose frames do
 * not simply follow from 0: "KEY TAB frames", then for each run of equally
 * spaced frames " first begin step length" (frame; seconds). */
#ifndef SN_DECODER_LAT_ALIGN_H
#define SN_DECODER_LAT_ALIGN_H
#include <stdbool.h>

#include "base/arr.h"
#include "base/status.h"
#include "base/str.h"
#include "decoder/decoder.h"
#include "decoder/lat_paths.h"
#include "graphs/graph.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_LAT_META_LABELS "labels"
#define SN_LAT_META_TIMES "times"

/* The text of SN_LAT_META_LABELS. SN_ENOMEM. */
SN_NODISCARD sn_status sn_lat_labels_add(const sn_graph *g, sn_str *out,
                                         sn_err *err);
/* Frames [begin[i], end[i]) of word i of the path: the i-th sequence of phones
 * from the beginning to the end of a word, fillers left out. *found false, and
 * both empty: the alignment has other labels, or fewer such sequences than
 * words. An HMM of a single state that follows itself counts as one phone.
 * labels [in] text of SN_LAT_META_LABELS. SN_ENOMEM. */
SN_NODISCARD sn_status sn_lat_word_times(const char *labels,
                                         const sn_lat_path *path,
                                         sn_arr_i32 *begin, sn_arr_i32 *end,
                                         bool *found, sn_err *err);

/* A line of SN_LAT_META_TIMES for the decoder's utterance, which begins at
 * offset_s; nothing where frame f begins at f * frame_s, or for a key with a
 * TAB or line break in it. SN_ENOMEM. */
SN_NODISCARD sn_status sn_lat_times_add(const sn_decoder *d, double offset_s,
                                        double frame_s, const char *key,
                                        sn_str *out, sn_err *err);

/* Time of frames, utterance by utterance. */
typedef struct sn_lat_clock sn_lat_clock;
/* times: text of SN_LAT_META_TIMES, borrowed until destroy; NULL: frames of
 * frame_s seconds. SN_EFORMAT: a line without TAB, a key that comes twice. */
SN_NODISCARD sn_status sn_lat_clock_create(const char *times, double frame_s,
                                           sn_lat_clock **out, sn_err *err);
void sn_lat_clock_destroy(sn_lat_clock *c); /* NULL is fine */
/* From now on frames are those of utterance `key`. SN_EFORMAT: its line is not
 * what the head of this file says. */
SN_NODISCARD sn_status sn_lat_clock_set(sn_lat_clock *c, const char *key,
                                        sn_err *err);
/* Seconds where frame f begins, and where what ends before frame f ends (with
 * removed frames between, that is earlier). f may lie between two frames. */
double sn_lat_clock_begin_s(const sn_lat_clock *c, double f);
double sn_lat_clock_end_s(const sn_lat_clock *c, double f);
#ifdef __cplusplus
}
#endif
#endif
