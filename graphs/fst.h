/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/fst.h - the C face of OpenFst, and the only one: no other file of the
 * toolkit may include <fst/...>. No C++ type, exception or exit crosses it.
 *
 * Weights are tropical costs (-ln p). Label 0 is epsilon; +INFINITY is "no".
 * Files of other toolkits are read by graphs/openfst_file.h.
 * An automaton may be read by many threads once nobody changes it any more.
 *
 * OpenFst ends the process on an error unless a global switch of it is off;
 * the first call into this file turns it off, before
 * any other thread uses OpenFst. A host program that uses OpenFst as well will
 * see that. */
#ifndef SN_GRAPHS_FST_H
#define SN_GRAPHS_FST_H
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_fst sn_fst;

SN_NODISCARD sn_status sn_fst_create(sn_fst **out, sn_err *err);
void sn_fst_destroy(sn_fst *f); /* NULL is fine */

/* ---- Making ---- */
/* The first state added (id 0) is the start state. Errors: SN_ENOMEM, and
 * SN_EARG for a state that does not exist, a negative label or a cost that is
 * NaN. */
SN_NODISCARD sn_status sn_fst_add_state(sn_fst *f, int32_t *id, sn_err *err);
SN_NODISCARD sn_status sn_fst_set_start(sn_fst *f, int32_t s, sn_err *err);
SN_NODISCARD sn_status sn_fst_set_final(sn_fst *f, int32_t s, float cost,
                                        sn_err *err);
SN_NODISCARD sn_status sn_fst_add_arc(sn_fst *f, int32_t from, int32_t in,
                                      int32_t out, float cost, int32_t to,
                                      sn_err *err);

/* ---- Looking ---- */
typedef struct sn_fst_arc {
  int32_t in, out, next;
  float cost;
} sn_fst_arc;
int32_t sn_fst_n_states(const sn_fst *f);
int32_t sn_fst_start(const sn_fst *f);             /* -1: empty */
int64_t sn_fst_n_arcs(const sn_fst *f, int32_t s); /* 0: no such state */
float sn_fst_final(const sn_fst *f, int32_t s);    /* INFINITY: not final */
/* s and i must be in range. */
sn_fst_arc sn_fst_arc_at(const sn_fst *f, int32_t s, int64_t i);

/* ---- Algorithms: *out is new and owned by the caller, inputs stay as they
 * are. Sorting and trimming is done here, so there is no precondition to
 * forget. SN_EEXTERNAL when OpenFst marks a result as an error. ---- */
SN_NODISCARD sn_status sn_fst_compose(const sn_fst *a, const sn_fst *b,
                                      sn_fst **out, sn_err *err);
/* Without states that are not on a path from start to a final state. */
SN_NODISCARD sn_status sn_fst_connect(const sn_fst *f, sn_fst **out,
                                      sn_err *err);
SN_NODISCARD sn_status sn_fst_rm_epsilon(const sn_fst *f, sn_fst **out,
                                         sn_err *err);
/* Deterministic and minimal with input, output and weight of an arc taken as
 * one symbol: defined for every automaton. When that needs more than
 * max_states states, *out is NULL (and the status SN_OK). */
SN_NODISCARD sn_status sn_fst_optimise(const sn_fst *f, int32_t max_states,
                                       sn_fst **out, sn_err *err);
/* Deterministic in the tropical semiring, inputs and outputs kept; and
 * minimal. For automata that have such a form. */
SN_NODISCARD sn_status sn_fst_determinize(const sn_fst *f, sn_fst **out,
                                          sn_err *err);
SN_NODISCARD sn_status sn_fst_minimize(const sn_fst *f, sn_fst **out,
                                       sn_err *err);
/* Whether two automata give the same output strings at the same costs (within
 * delta) for n_paths random inputs. */
SN_NODISCARD sn_status sn_fst_rand_equivalent(const sn_fst *a, const sn_fst *b,
                                              int32_t n_paths, float delta,
                                              uint64_t seed, bool *same,
                                              sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
