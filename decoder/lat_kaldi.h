/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_kaldi.h - Kaldi's compact lattices, one at a time, in text and
 * binary. Archives ("key lattice key lattice ...") are lat_io.h's business.
 *
 * Sources: kaldi-asr.org/doc/lattices.html (the text form, the weight string);
 * OpenFst's fst/fst.h and vector-fst.h for the binary header and body. */
#ifndef SN_DECODER_LAT_KALDI_H
#define SN_DECODER_LAT_KALDI_H
#include "base/io.h"
#include "base/status.h"
#include "decoder/lattice.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Reads the body of a binary lattice: an OpenFst "vector" with arcs of type
 * "compactlattice44" (deterministic lattices) or "lattice4" (state level:
 * input label = alignment, output label = word). SN_EFORMAT names the field
 * and offset; a cycle is refused. */
SN_NODISCARD sn_status sn_lat_read_kaldi_binary(sn_reader *r, sn_lat *out,
                                                sn_err *err);
/* Reads the lines of a text lattice up to the empty line behind it (a
 * file that ends before it is cut short: SN_EFORMAT). Arcs: "from to word
 * graph,acoustic,a_b_c" (the weight may be missing: 0,0,) and "from to label
 * word graph,acoustic" (state level); final states: "state" or "state
 * graph,acoustic,a_b". The first line's first state is the start. Words are
 * numbers. SN_EFORMAT: NAME:LINE. */
SN_NODISCARD sn_status sn_lat_read_kaldi_text(sn_reader *r, sn_lat *out,
                                              sn_err *err);
SN_NODISCARD sn_status sn_lat_write_kaldi_binary(sn_writer *w, const sn_lat *l,
                                                 sn_err *err);
SN_NODISCARD sn_status sn_lat_write_kaldi_text(sn_writer *w, const sn_lat *l,
                                               sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
