/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/decoder.h - beam search over a graph: token passing, frame by
 * frame. One decoder serves one stream at a time; the graph is shared. */
#ifndef SN_DECODER_DECODER_H
#define SN_DECODER_DECODER_H
#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#include "base/scorer.h"
#include "base/status.h"
#include "decoder/lat_det.h"
#include "decoder/lat_paths.h"
#include "decoder/lattice.h"
#include "graphs/graph.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_decoder_opts {
  float beam;              /* in graph-cost units, below the best token */
  int32_t max_active;      /* tokens kept a frame at most */
  int32_t min_active;      /* kept even outside the beam */
  float acoustic_scale;    /* 0: 1 / the graph's lm_scale */
  float lattice_beam;      /* in graph-cost units; 0: no lattices are kept */
  int32_t lattice_stretch; /* frames of a lattice that are determinised as soon
                              as they are settled; 0: all at the end */
} sn_decoder_opts;
extern const sn_opt sn_decoder_opt_table[];

/* One word of an answer. Frames are the scorer's; times are audio time. */
typedef struct sn_hyp_word {
  int32_t word; /* id in the graph */
  int64_t first_frame, n_frames;
  double begin_s, end_s;
  float graph_cost, acoustic_cost; /* unscaled acoustic */
} sn_hyp_word;

typedef struct sn_hyp_phone {
  int32_t phone; /* id in the graph */
  int32_t word;  /* index in words; -1: filler, or of a word not known yet */
  bool is_filler;
  double begin_s, end_s;
} sn_hyp_phone;

/* Zeroed is empty; owned by the caller (sn_hyp_clear). */
typedef struct sn_hyp {
  sn_hyp_word *words;
  size_t n_words;
  sn_hyp_phone *phones;
  size_t n_phones;
  double graph_cost, acoustic_cost; /* acoustic unscaled; +inf: no path */
  bool reached_final;               /* ended in a final state */
  bool no_path;                     /* nothing survived: empty result */
  int64_t n_frames;
} sn_hyp;
void sn_hyp_clear(sn_hyp *h);

typedef struct sn_decoder sn_decoder;
/* graph is borrowed until destroy. opts may be NULL: the table's defaults.
 * SN_EARG: an option out of range; SN_ENOMEM. */
SN_NODISCARD sn_status sn_decoder_create(const sn_graph *g,
                                         const sn_decoder_opts *opts,
                                         sn_decoder **out, sn_err *err);
void sn_decoder_destroy(sn_decoder *d);
/* Ready for an utterance; forgets the one before, keeps the memory. */
SN_NODISCARD sn_status sn_decoder_start(sn_decoder *d, sn_err *err);
/* Searches all frames that the scorer has ready and that were not searched yet.
 * The result does not depend on how the frames are spread over calls. After a
 * failure only start and destroy are allowed. SN_EMISMATCH: the scorer has
 * another number of pdfs than the graph; SN_EFORMAT: the graph's epsilon arcs
 * have a cycle of negative cost. */
SN_NODISCARD sn_status sn_decoder_advance(sn_decoder *d, sn_scorer *s,
                                          sn_err *err);
/* The same for max_frames frames at most, so that the caller can look up
 * between. */
SN_NODISCARD sn_status sn_decoder_advance_by(sn_decoder *d, sn_scorer *s,
                                             int64_t max_frames, sn_err *err);
/* The best path so far (partial) or, with `final`, the best that ends in a
 * final state, else (reached_final false) the best of all. */
SN_NODISCARD sn_status sn_decoder_best(sn_decoder *d, bool final, sn_hyp *out,
                                       sn_err *err);

/* ---- Lattices; SN_EARG where opts.lattice_beam is 0 ---- */

/* All ways through the frames so far that are within lattice_beam of the best
 * (and that the search beam let live), one arc a frame: words as the graph's
 * outputs (word + 1), alignments as labels of the graph. With `final` of paths
 * that end in a final state; where none does, and without `final`, of all.
 * Where no path survived: an empty lattice. The decoder may go on afterwards.
 * Stretches that are settled (opts.lattice_stretch) are in it as words, each
 * sequence once with its best alignment.
 * ali_of  [2 x labels of the graph] what stands in alignments for a frame that
 *         enters the label (2 l) and for one that loops (2 l + 1); NULL: l
 * SN_EFORMAT: the graph has a circle of epsilon arcs. */
SN_NODISCARD sn_status sn_decoder_raw_lattice(sn_decoder *d, bool final,
                                              const int32_t *ali_of,
                                              sn_lat *out, sn_err *err);
/* The same, deterministic on words: each sequence once, with its best cost and
 * the alignment that belongs to it. opts: limits on the work (its beam is not
 * used); NULL: the defaults, which are those of settled stretches in any case.
 * stats may be NULL; it tells the work, and whether a limit made the beam
 * narrower anywhere. What the lattice says does not depend on lattice_stretch
 * unless a limit was reached. */
SN_NODISCARD sn_status sn_decoder_lattice(sn_decoder *d, bool final,
                                          const int32_t *ali_of,
                                          const sn_lat_det_opts *opts,
                                          sn_lat *out, sn_lat_det_stats *stats,
                                          sn_err *err);
/* Takes the oldest stretch that is settled (opts.lattice_stretch) out of the
 * utterance's lattice: deterministic, of the frames behind the stretch taken
 * before, between nodes that all paths run through; no sequence of it begins
 * another one. Lattices that are asked for later begin behind it, and sums of
 * its costs are theirs no longer; their stats still tell of it. False: none is
 * settled, and *out is empty. Which frames a stretch has does not depend on how
 * frames are spread over calls. */
bool sn_decoder_take_stretch(sn_decoder *d, const int32_t *ali_of, sn_lat *out);
/* Words and phones of a path through such a lattice (or through what rescoring
 * made of it), with times as sn_decoder_best gives them: the k-th word of the
 * path is said in its k-th segment. Costs of a word are those of its arc. Of
 * stretches: the paths through all of them and through the rest, in a row.
 * Only of lattices whose alignments are 2 l and 2 l + 1, as above, and until
 * start. reached_final is false, for the path does not tell. */
SN_NODISCARD sn_status sn_decoder_path(const sn_decoder *d,
                                       const sn_lat_path *path, sn_hyp *out,
                                       sn_err *err);
/* Audio time at which frame f begins, 0 <= f <= frames so far. */
double sn_decoder_frame_s(const sn_decoder *d, double f);
/* How the two costs of these lattices make a total. */
sn_lat_scales sn_decoder_scales(const sn_decoder *d);
float sn_decoder_lattice_beam(const sn_decoder *d);

int64_t sn_decoder_n_frames(const sn_decoder *d);
/* Whether the best path so far has any word on it. */
bool sn_decoder_has_words(const sn_decoder *d);
/* False once nothing survived the beam (until start). */
bool sn_decoder_alive(const sn_decoder *d);

/* What the search did since start, for reports and tests. */
typedef struct sn_decoder_stats {
  int64_t n_frames;
  int64_t n_tokens;   /* expanded, over all frames */
  int64_t n_arcs;     /* emitting arcs looked at */
  int64_t n_entered;  /* tokens made (after the closure) */
  int64_t n_eps;      /* epsilon arcs looked at */
  int64_t n_requeued; /* states whose epsilon arcs were looked at again */
  int64_t n_records;  /* trace records made */
  size_t records_live, records_peak; /* now; most at one time */
  size_t n_committed;                /* records that all paths share */
  size_t links_live, links_peak;     /* of the lattice; now, at one time */
  size_t n_stretches;                /* of the lattice that are settled */
  size_t n_cuts, n_cut_nodes;        /* of the lattice; nodes at all of them */
  size_t n_bytes;                    /* all memory of the decoder */
} sn_decoder_stats;
sn_decoder_stats sn_decoder_get_stats(const sn_decoder *d);
#ifdef __cplusplus
}
#endif
#endif
