/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_rescore.h - another language model for the words of a lattice. */
#ifndef SN_DECODER_LAT_RESCORE_H
#define SN_DECODER_LAT_RESCORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/opt.h"
#include "base/status.h"
#include "decoder/lattice.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

/* An n-gram model and what it calls the labels of lattices: words[label], from
 * sn_lat_words_map (-1: a word it does not have; SN_LAT_NOT_A_WORD: skipped,
 * the history stays). lm NULL: no model. All borrowed. */
typedef struct sn_lat_lm {
  const sn_ngram *lm;
  const int32_t *words; /* [n_words] */
  size_t n_words;
} sn_lat_lm;

typedef struct sn_lat_rescore_opts {
  double old_scale; /* of the model that is taken out */
  double new_scale; /* of the model that is put in */
  double beam;      /* histories at one state, and paths of the result, that
                       cost more than the best by this go */
  int32_t max_histories; /* kept at one state of the lattice */
  double oov_cost;       /* of a word that the new model neither has nor has an
                            <unk> for, as a unigram; infinite: such paths go */
  bool exact_old;        /* see below */
} sn_lat_rescore_opts;
extern const sn_opt sn_lat_rescore_opt_table[];

typedef struct sn_lat_rescore_stats {
  int64_t n_states, n_arcs; /* of the composition, before the last pruning */
  int64_t n_cut;            /* pairs that beam or max_histories cut off */
  int64_t n_oov;            /* arcs whose word the new model does not have */
} sn_lat_rescore_stats;

/* Each path of *out is a path of l with the same words, acoustic cost and
 * alignment, and the graph cost
 *     graph - old_scale * old(words) + new_scale * new(words),
 * where new(words) is -ln of the sentence's probability with <s> and </s>, as
 * sn_ngram_score gives it (the true back-off probability; what a search graph
 * gives can be better, next paragraph). The model's automaton is composed with
 * the lattice on demand: a state of the result is a state of the lattice with
 * the histories of both models.
 *
 * old(words) is what the graph's compiler put in. In a graph back-off is an
 * arc without word that the best path may take even where the model has the
 * n-gram itself, so the cost of a sentence there is the least over all ways to
 * back off. That is what is subtracted (all histories that a back-off may
 * lead to are followed side by side; mostly one is left, the others cost more
 * for sure). exact_old: the true back-off probability instead. Give the very
 * model that the graph was made from (the pruned one).
 *
 * A word that the old model does not have counts as a unigram of cost 0. A
 * label of the lattice that is not in `words` at all is SN_EMISMATCH.
 *
 * l should be deterministic; then *out is too. Another lattice is composed arc
 * by arc and the result determinised. `scales` are used for the beam and
 * that. With an infinite beam and no limit nothing is lost.
 * Work and memory: states x histories; max_histories bounds it.
 * Source: as Kaldi's lattice-lmrescore does it; back-off composed on demand as
 * in Allauzen, Mohri, Roark 2003, "Generalized algorithms for constructing
 * statistical language models" (failure transitions). */
SN_NODISCARD sn_status sn_lat_rescore(
    const sn_lat *l, const sn_lat_scales *scales, const sn_lat_lm *old_lm,
    const sn_lat_lm *new_lm, const sn_lat_rescore_opts *opts, sn_lat *out,
    sn_lat_rescore_stats *stats, sn_err *err);

/* ---- A long utterance: lattices in a row ----
 * All paths of the utterance run through the nodes between its lattices. Each
 * is rescored as the one before is left: at a node the histories of both models
 * differ by path. Which one is right is decided when the next lattice is known:
 *   - lattice i is composed from all the histories that end lattice i - 1,
 *     within beam and max_histories;
 *   - the best path through both tells the history at the node between them,
 *     and lattice i is what is composed from it alone;
 *   - every other path of lattice i - 1 ends at the cost by which going on from
 *     its own history is dearer.
 * So the best path through all costs what rescoring the whole says, and is the
 * whole's best unless an n-gram's choice hangs on words that are further off
 * than a lattice is long. Costs of other paths are right for those that differ
 * from it in one lattice only. Memory: two lattices. */
typedef struct sn_lat_row sn_lat_row;
/* Models and tables are borrowed until destroy; NULL as in sn_lat_rescore. */
SN_NODISCARD sn_status sn_lat_row_create(const sn_lat_scales *scales,
                                         const sn_lat_lm *old_lm,
                                         const sn_lat_lm *new_lm,
                                         const sn_lat_rescore_opts *opts,
                                         sn_lat_row **out, sn_err *err);
void sn_lat_row_destroy(sn_lat_row *r); /* NULL is fine */
/* The next lattice, deterministic and not empty. last: the sentence ends with
 * it. *out becomes the one before, rescored; empty for the first. A lattice
 * of which the new model would leave no path stays as it is, and the history
 * begins anew behind it. Errors as sn_lat_rescore; SN_EARG: the lattice is
 * empty or not deterministic, or comes behind the last. */
SN_NODISCARD sn_status sn_lat_row_add(sn_lat_row *r, const sn_lat *l, bool last,
                                      sn_lat *out, sn_err *err);
/* The last one of the row, rescored; once. Alone in the row it is what
 * sn_lat_rescore makes of it. */
SN_NODISCARD sn_status sn_lat_row_end(sn_lat_row *r, sn_lat *out, sn_err *err);
/* Sums over the row so far, and how many lattices stayed as they were. */
sn_lat_rescore_stats sn_lat_row_stats(const sn_lat_row *r, int64_t *n_kept);
#ifdef __cplusplus
}
#endif
#endif
