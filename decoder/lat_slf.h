/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_slf.h - lattices in HTK's Standard Lattice Format, one a file.
 *
 * Source: The HTK Book (Young et al.), chapter "HTK Standard Lattice Format
 * (SLF)": fields, defaults, and that a node's word is the one that ends there;
 * start= and end= as SRILM writes them. Not read: sub-lattices, dir=b. */
#ifndef SN_DECODER_LAT_SLF_H
#define SN_DECODER_LAT_SLF_H
#include "base/io.h"
#include "base/status.h"
#include "base/str.h"
#include "decoder/lat_words.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

/* What the header says and a lattice has no place for. HTK's total is
 * a * acscale + l * lmscale + wdpenalty, a logarithm; natural here whatever
 * the file's base is. Owned by the caller (sn_slf_head_clear). */
typedef struct sn_slf_head {
  sn_str utterance; /* UTTERANCE=, or empty */
  double acscale, lmscale, wdpenalty;
} sn_slf_head;
void sn_slf_head_clear(sn_slf_head *h); /* zeroed is fine */

/* Reads a lattice: links become arcs with acoustic cost -a and graph cost
 * -(l + r), words stand on links or else on the node that a link leads to;
 * !NULL and no word are label 0. A !NULL link to the end node becomes the final
 * cost of where it begins.
 * frame_s  [in]    seconds a frame: SLF has times but no alignments, so each
 *                  arc gets as many labels 0 as lie between its nodes' times
 *                  (rounded), and none where nodes have no times; sn_lat_times
 *                  then works. All arcs of `out` share those zeros.
 * words    [inout] labels of spellings, new ones are added; NULL: the words
 *                  are numbers, the labels themselves
 * head     [out]   initialised by this call; may be NULL
 * Errors: SN_EFORMAT NAME:LINE for fields of another type, missing or repeated
 * nodes and links, links to nowhere or back in time, a cycle, several starts
 * or ends, no lattice at all. */
SN_NODISCARD sn_status sn_lat_read_slf(sn_reader *r, double frame_s,
                                       sn_lat_words *words, sn_slf_head *head,
                                       sn_lat *out, sn_err *err);

typedef struct sn_slf_opts {
  double frame_s;                     /* seconds a frame */
  double acscale, lmscale, wdpenalty; /* for the header */
} sn_slf_opts;

/* Writes version 1.0 with words, a= and l= (natural logarithms) on links, and
 * times on nodes where the lattice has alignments. Final costs become !NULL
 * links to an end node of their own. words NULL: labels as numbers.
 * SN_EMISMATCH: a label that `words` does not have. */
SN_NODISCARD sn_status sn_lat_write_slf(sn_writer *w, const char *utterance,
                                        const sn_lat *l,
                                        const sn_lat_words *words,
                                        const sn_slf_opts *opts, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
