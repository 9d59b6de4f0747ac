/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/build_internal.h - the compiler's parts and what passes between them.
 *
 *   wordgraph.c   G: words between states, from n-grams, grammars and both
 *   units.c       HMMs of triphones as rows of labels
 *   prons.c       L: pronunciations as rows of units, in search-tree order
 *   contexts.c    C: which phones can have come before a state of G
 *   node_store.c  states of the search graph, each stored once
 *   expand.c      H o C o L o G, state by state of G
 *   layout.c      numbers what can be reached, and writes it
 *   build.c       calls them in that order
 *
 * Costs within the compiler are integers, in units of 1 / SNI_COST_ONE nats:
 * sums of them are exact, so that equal remainders of the graph are equal. */
#ifndef SN_GRAPHS_BUILD_INTERNAL_H
#define SN_GRAPHS_BUILD_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "am/am.h"
#include "base/arr.h"
#include "base/log.h"
#include "base/status.h"
#include "base/str.h"
#include "graphs/build.h"
#include "graphs/graph.h"

#define SNI_COST_ONE 16384 /* 2^14 a nat: 6e-5 nats of resolution */
#define SNI_MAX_HMM_STATES 16

/* The nearest integer cost; SNI_COST_INF for an impossible one. */
#define SNI_COST_INF INT32_MAX
int32_t sni_cost(double nats);

/* ---- The acoustic model as the compiler needs it: a table of functions, so
 * that tests can put small models of their own behind it. ---- */
typedef struct sni_hmms {
  const void *user;
  int32_t n_phones, n_pdfs, silence, n_fillers;
  const char *(*phone)(const void *user, int32_t phone);
  bool (*is_filler)(const void *user, int32_t phone);
  sn_hmm (*hmm)(const void *user, int32_t hmm);
  int32_t (*triphone)(const void *user, int32_t base, int32_t left,
                      int32_t right, sn_wordpos pos);
  int32_t (*monophone)(const void *user, int32_t base);
  sn_am_filler (*filler)(const void *user, int32_t i);
} sni_hmms;

/* ---- G ---- */
typedef struct sni_g_arc {
  int32_t word; /* id in words; -1: none is said; while G is made,
                   SNI_CLASS_WORD(k): class k's */
  int32_t dest;
  float cost; /* nats, of the language model alone */
} sni_g_arc;

#define SNI_CLASS_WORD(k) (-2 - (int32_t)(k))
#define SNI_CLASS_OF(word) (-2 - (word))

/* Arcs of state g: arcs[first[g] .. first[g + 1]). No circle of arcs without
 * words. `final` is what ending costs here, by whichever arcs without words
 * (they need not be followed to end). Zeroed is empty and valid. */
typedef struct sni_wordgraph {
  int32_t n_states, start;
  SN_ARR(uint32_t) first; /* [n_states + 1] */
  SN_ARR(sni_g_arc) arcs;
  sn_arr_f32 final;   /* [n_states] nats; INFINITY: can not end */
  sn_symtab *words;   /* owned; as written in the language model */
  sn_arr_i32 lexicon; /* [n words] word of the lexicon */
} sni_wordgraph;

/* What of the language model can not be said, for messages. */
typedef struct sni_missing {
  int64_t n_words;
  sn_str names; /* the first few, quoted */
} sni_missing;
/* What to do, as the end of a message, where a class may be among the words. */
const char *sni_missing_hint(const sni_missing *m);

void sni_wordgraph_clear(sni_wordgraph *g);
/* has_pron: [lexicon words] whether a word can be said at all. classes: or
 * NULL; arcs of their words are left in G for sni_wordgraph_insert_classes;
 * EMISMATCH when the model lacks one. */
SN_NODISCARD sn_status sni_wordgraph_ngram(
    const sn_ngram *lm, const sn_lexicon *lex, const bool *has_pron,
    const sn_graph_opts *opts, const sn_word_classes *classes, sn_log *log,
    sni_missing *missing, sni_wordgraph *out, sn_err *err);
SN_NODISCARD sn_status sni_wordgraph_grammar(const sn_grammar *grammar,
                                             const sn_lexicon *lex,
                                             const bool *has_pron,
                                             const sn_graph_opts *opts,
                                             sn_log *log, sni_missing *missing,
                                             sni_wordgraph *out, sn_err *err);
/* Adds a word to g, or gives -1 and counts it as missing. */
SN_NODISCARD sn_status sni_wordgraph_word(
    sni_wordgraph *g, const sn_lexicon *lex, const bool *has_pron,
    const sn_graph_opts *opts, sn_log *log, sni_missing *missing,
    const char *word, int32_t *id, sn_err *err);
/* Adds b to a: its sentences may stand at state `at` of a, which they come back
 * to, for `cost`. */
SN_NODISCARD sn_status sni_wordgraph_add(sni_wordgraph *a,
                                         const sni_wordgraph *b, int32_t at,
                                         double cost, sn_err *err);
/* Makes a the choice between its sentences and b's, at 1 - weight and weight;
 * 0 < weight <= 1. At 1, a's go. */
SN_NODISCARD sn_status sni_wordgraph_choose(sni_wordgraph *a,
                                            const sni_wordgraph *b,
                                            double weight, sn_err *err);
/* Puts classes[k] [n], word graphs of grammars (no arcs without words, and the
 * start is not final), in the place of the words SNI_CLASS_WORD(k). ELIMIT. */
SN_NODISCARD sn_status sni_wordgraph_insert_classes(
    sni_wordgraph *g, const sni_wordgraph *classes, size_t n, sn_err *err);
/* Adds b's words to a's; *ids: [words of b] in a, the caller's in any case. */
SN_NODISCARD sn_status sni_wordgraph_merge_words(sni_wordgraph *a,
                                                 const sni_wordgraph *b,
                                                 int32_t **ids, sn_err *err);
/* SN_EARG when the arrays are no word graph (ranges, NaN, empty circles). */
SN_NODISCARD sn_status sni_wordgraph_check(const sni_wordgraph *g, sn_err *err);

/* ---- H: units ---- */
/* A unit is an HMM at a place: a row of labels. Two units with the same labels
 * are one. */
typedef struct sni_unit {
  int32_t first_label; /* in unit_labels */
  int32_t n_states;
  int32_t tmat;
} sni_unit;

typedef struct sni_units {
  const sni_hmms *hmms;
  double scale; /* transition costs are divided by it */
  SN_ARR(sn_graph_label) labels;
  sn_arr_i32 label_tmats; /* [n labels] */
  SN_ARR(sni_unit) units;
  sn_arr_i32 unit_labels;
  sn_arr_i32 tmats; /* first cost of each in costs */
  sn_arr_i32 tmat_states;
  sn_arr_i32 costs; /* [S x (S + 1)] a matrix */
  sn_arr_f32 logps; /* the same, as the model has them */
  sn_arr_f32 loop;  /* [S] a matrix: self-loops, nats; at costs' offset */
  uint32_t *label_hash, *unit_hash; /* open addressing, id + 1 */
  size_t label_mask, unit_mask;
  int32_t *triphones;  /* [SN_N_POS x P x P x P] unit + 1; 0: not asked yet */
  int32_t *monophones; /* [P] */
} sni_units;

SN_NODISCARD sn_status sni_units_init(sni_units *u, const sni_hmms *hmms,
                                      double scale, sn_err *err);
void sni_units_clear(sni_units *u);
SN_NODISCARD sn_status sni_units_triphone(sni_units *u, int32_t base,
                                          int32_t left, int32_t right,
                                          sn_wordpos pos, int32_t *unit,
                                          sn_err *err);
SN_NODISCARD sn_status sni_units_filler(sni_units *u, int32_t phone,
                                        int32_t *unit, sn_err *err);
/* Order of two units: by their rows of labels, a beginning first. */
int sni_units_compare(const sni_units *u, int32_t a, int32_t b);

/* ---- L ---- */
/* Pronunciations that the model can say, grouped by lexicon word. Of n phones,
 * the units between the second and the last but one stand in `units`: those of
 * the first and last phone depend on the neighbours. */
typedef struct sni_pron {
  int32_t rank; /* in search-tree order */
  int32_t cost; /* of the variant, over the scale */
  int32_t n_phones;
  int32_t first, second;  /* phones; second -1 when n_phones is 1 */
  int32_t last_but, last; /* phones; last_but -1 when n_phones is 1 */
  int32_t first_unit, n_units;
} sni_pron;

typedef struct sni_prons {
  SN_ARR(sni_pron) prons;
  SN_ARR(uint32_t) word_first; /* [lexicon words + 1] */
  sn_arr_i32 units;
  int32_t max_units;
} sni_prons;

SN_NODISCARD sn_status sni_prons_build(const sn_lexicon *lex, sni_units *units,
                                       const sn_graph_opts *opts, double scale,
                                       sn_log *log, sni_prons *out,
                                       sn_err *err);
void sni_prons_clear(sni_prons *p);

/* ---- C ---- */
/* A context is what has been said before a state of G and not yet been put
 * into HMMs: the last phone of a word, which waits for its right neighbour,
 * with its own left neighbour and position. Left neighbours that never make a
 * difference share one number. */
typedef struct sni_context {
  int32_t key;       /* packed: see sni_contexts_key */
  uint8_t is_direct; /* a word ended here (not only backed off to) */
} sni_context;

typedef struct sni_contexts {
  const sni_hmms *hmms;
  int32_t n_phones;
  SN_ARR(uint32_t) first; /* [n_states + 1] */
  SN_ARR(sni_context) list;
  uint8_t *is_reached;   /* [n_states] */
  uint8_t *has_silence;  /* [n_states] can stand after a filler or the start */
  uint8_t *has_eps_in;   /* [n_states] an arc without word leads here */
  int32_t *canon_end;    /* [P x P] of (phone, left) as a word's last phone */
  int32_t *canon_single; /* [P x P] as a word's only phone */
  int32_t *canon_left;   /* [P] as left neighbour of a word */
} sni_contexts;

SN_NODISCARD sn_status sni_contexts_find(const sni_wordgraph *g,
                                         const sni_prons *prons,
                                         sni_units *units, bool fillers,
                                         sn_log *log, sni_contexts *out,
                                         sn_err *err);
void sni_contexts_clear(sni_contexts *c);
int32_t sni_contexts_key(const sni_contexts *c, int32_t left, int32_t phone,
                         bool is_single);
void sni_contexts_unpack(const sni_contexts *c, int32_t key, int32_t *left,
                         int32_t *phone, bool *is_single);
/* Index in `list`; the context must be there. */
uint32_t sni_contexts_at(const sni_contexts *c, int32_t g, int32_t key);

/* ---- States ---- */
/* dest >= 0: a node, which the arc enters with a frame; ~dest: a junction,
 * entered without one; SNI_FINAL: the path may end here. */
#define SNI_FINAL INT32_MIN
typedef struct sni_arc {
  int32_t dest;
  int32_t output; /* word + 1 */
  int32_t cost;
} sni_arc;

/* Nodes are states with a label; equal ones are stored once. Junctions are
 * states without, known by number, written in ascending order. */
typedef struct sni_nodes {
  SN_ARR(sni_arc) arcs;
  sn_arr_i32 labels;
  SN_ARR(uint32_t) first; /* [n + 1] */
  uint64_t *hash;         /* upper half of the hash; id + 1 */
  size_t mask;
  SN_ARR(sni_arc) junction_arcs;
  SN_ARR(uint32_t) junction_first; /* [n junctions + 1] */
} sni_nodes;

SN_NODISCARD sn_status sni_nodes_init(sni_nodes *n, sn_err *err);
void sni_nodes_clear(sni_nodes *n);
SN_NODISCARD sn_status sni_nodes_intern(sni_nodes *n, int32_t label,
                                        const sni_arc *arcs, size_t n_arcs,
                                        int32_t *id, sn_err *err);
/* Adds one arc to the junction in the making; sni_nodes_end_junction ends it
 * and gives it the next number. */
SN_NODISCARD sn_status sni_nodes_junction_arc(sni_nodes *n, sni_arc arc,
                                              sn_err *err);
SN_NODISCARD sn_status sni_nodes_end_junction(sni_nodes *n, sn_err *err);

/* ---- Expansion ---- */
typedef struct sni_build {
  sni_wordgraph *g;
  const sni_hmms *hmms;
  const sn_graph_opts *opts;
  double scale; /* lm_scale */
  sn_log *log;
  sni_units units;
  sni_prons prons;
  sni_contexts contexts;
  sni_nodes nodes;
  int32_t start; /* junction */
} sni_build;

SN_NODISCARD sn_status sni_expand(sni_build *b, sn_err *err);
SN_NODISCARD sn_status sni_layout(sni_build *b, const char *const *meta,
                                  size_t n_meta, const char *path,
                                  sn_graph_stats *stats, sn_err *err);

/* The compiler in two steps: begin makes units and pronunciations, which say
 * what words can be said (for whoever makes G); finish does the rest. `lex`,
 * `hmms`, `opts` and `g` are borrowed until clear. opts holds no defaults any
 * more (lm_scale and word_penalty are numbers). */
SN_NODISCARD sn_status sni_build_begin(sni_build *b, const sn_lexicon *lex,
                                       const sni_hmms *hmms,
                                       const sn_graph_opts *opts, sn_log *log,
                                       sn_err *err);
/* Consumes what begin made (freed as it goes, to keep the peak low). meta:
 * [2 * n_meta] further keys and values. */
SN_NODISCARD sn_status sni_build_finish(sni_build *b, sni_wordgraph *g,
                                        const char *const *meta, size_t n_meta,
                                        const char *path, sn_graph_stats *stats,
                                        sn_err *err);
void sni_build_clear(sni_build *b);
#endif
