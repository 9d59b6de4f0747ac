/* SPDX-License-Identifier: Apache-2.0 */
/* tests/graphs/world.h - small random acoustic models, lexicons and word
 * graphs, and all paths through them by definition. */
#ifndef SN_TESTS_GRAPHS_WORLD_H
#define SN_TESTS_GRAPHS_WORLD_H
#include "base/arr.h"
#include "base/rng.h"
#include "graphs/build_internal.h"

enum { WORLD_PHONES = 6, WORLD_HMMS = 24, WORLD_STATES = 3, WORLD_FILLERS = 2 };

/* Phones: 0 is silence, 1 a noise, the others are said. HMMs 4 * p .. 4 * p + 3
 * are those of phone p, with the phone's transitions. */
typedef struct world {
  int32_t n_states[WORLD_PHONES];
  int32_t pdfs[WORLD_HMMS][WORLD_STATES];
  float logp[WORLD_PHONES][WORLD_STATES * (WORLD_STATES + 1)];
  uint64_t salt;      /* which triphone has which HMM */
  int32_t n_contexts; /* 1: context-independent */
  float filler_logp[WORLD_FILLERS];
  sni_hmms hmms;
  sn_lexicon lex;
  sni_wordgraph g;
  sn_graph_opts opts;
} world;

typedef struct world_shape {
  bool skips, contexts, fillers, silence_edges, back_offs, noises_backed_off;
  int32_t n_words, n_g_states;
} world_shape;

void world_make(world *w, sn_rng *rng, const world_shape *shape);
void world_clear(world *w);
/* A copy for the compiler, which gives G's memory back as it goes. */
void world_copy_g(const sni_wordgraph *from, sni_wordgraph *to);

/* A path: labels and words as text, and its cost. */
typedef struct world_path {
  char *text;
  double cost;
} world_path;
typedef SN_ARR(world_path) world_paths;

/* All paths of at most max_labels HMM states, self-loops aside, as L, G, C and
 * H define them; the best of those with the same text, sorted by it. */
void world_enumerate(const world *w, int32_t max_labels, world_paths *out);
/* The same of a compiled graph. */
void world_enumerate_graph(const sn_graph *g, int32_t max_labels,
                           world_paths *out);
void world_paths_clear(world_paths *p);
#endif
