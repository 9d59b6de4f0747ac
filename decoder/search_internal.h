/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/search_internal.h - the frame-synchronous core: tokens in, tokens
 * out. What a path has been through is the trace's business
 * (trace_internal.h); answers are made in decoder/hyp.c. */
#ifndef SN_DECODER_SEARCH_INTERNAL_H
#define SN_DECODER_SEARCH_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "decoder/decoder.h"
#include "decoder/links_internal.h"
#include "decoder/trace_internal.h"
#include "graphs/graph.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The best path into one graph state. */
typedef struct sni_token {
  float cost;     /* of the path, relative to the search's offset */
  float graph;    /* graph cost since the record */
  int32_t state;  /* in the graph */
  int32_t label;  /* of the state; -1: none, so no self-loop */
  int32_t record; /* the last one of its path; -1: none */
  uint8_t queued; /* waits for another look at its epsilon arcs */
} sni_token;

/* state -> token of the frame being made: open addressing over the active
 * set. A slot is empty when `serial` is below the frame's first serial, so
 * nothing has to be wiped between frames. */
typedef struct sni_slot {
  int32_t state;
  int32_t serial; /* first serial of the frame + index of the token */
} sni_slot;

/* An epsilon arc that was followed, when its token cost from_cost: of use only
 * if that has remained so. */
typedef struct sni_eps_link {
  sni_link link;
  float from_cost;
} sni_eps_link;

typedef struct sni_search {
  const sn_graph *graph;
  sn_decoder_opts opts; /* acoustic_scale resolved */
  float beam;           /* finite: FLT_MAX / 4 for an infinite one */

  /* Tables over labels, [n_labels]. */
  int32_t *label_pdf;
  float *label_loop;
  uint8_t *label_entry;
  float *label_cost; /* scaled acoustic cost in the current frame */

  sni_token *cur, *next; /* [cap] each */
  size_t n_cur, n_next, cap;
  sni_slot *slots; /* [n_slots], a power of two >= 2 * cap */
  size_t n_slots;
  int shift; /* 32 - log2(n_slots / 8): hash bits that are used */
  int32_t first_serial;
  float *scratch;             /* [cap]: costs, for the selection */
  int32_t *queue, *queue_now; /* [cap] each: tokens to look at again */

  float bound;   /* tokens of cur above it count for nothing */
  double offset; /* what has been taken off every cost */
  int64_t frame; /* next frame to search */
  sni_trace trace;
  sni_links links;                /* empty where opts.lattice_beam is 0 */
  SN_ARR(sni_eps_link) eps_links; /* scratch: of the frame being closed */
  sn_decoder_stats stats;
} sni_search;

SN_NODISCARD sn_status sni_search_init(sni_search *s, const sn_graph *g,
                                       const sn_decoder_opts *opts,
                                       sn_err *err);
void sni_search_clear(sni_search *s);
size_t sni_search_bytes(const sni_search *s);
/* One token in the start state, and its epsilon closure. */
SN_NODISCARD sn_status sni_search_start(sni_search *s, sn_err *err);
/* One frame. loglik: [n_pdfs] natural-log likelihoods. With no token left it
 * only counts the frame. */
SN_NODISCARD sn_status sni_search_frame(sni_search *s, const float *loglik,
                                        sn_err *err);
/* Index in cur of the best token (with its final cost, which *final_cost gets,
 * where `final`); -1: none. Of equals the first. */
int32_t sni_search_best(const sni_search *s, bool final, float *final_cost);

/* k-th smallest (from 0) of x[0..n), whose order is changed. */
float sni_select(float *x, size_t n, size_t k);
#ifdef __cplusplus
}
#endif
#endif
