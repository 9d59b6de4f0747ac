/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/build.h - from acoustic model, lexicon and language model to a search
 * graph: min(det(H o C o min(det(L o G)))) (Mohri, Pereira, Riley 2002, 2008).
 */
#ifndef SN_GRAPHS_BUILD_H
#define SN_GRAPHS_BUILD_H
#include <stdbool.h>
#include <stdint.h>

#include "am/am.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "lexicon/lexicon.h"
#include "lm/grammar.h"
#include "lm/ngram.h"
#include "lm/word_class.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_graph_opts {
  double lm_scale;       /* multiplies LM costs; 0: the model's */
  double word_penalty;   /* natural log per word; SN_GRAPH_MODELS_PENALTY: the
                            model's */
  int32_t noises;        /* sn_graph_noises */
  bool fillers;          /* fillers of the model between words */
  double silence_prob;   /* of silence between words, for models that list no
                            fillers; 0: none */
  int32_t edges;         /* sn_graph_edges */
  bool pron_probs;       /* use pronunciation probabilities */
  bool position_phones;  /* the model's phones are AA_B, AA_I, AA_E, AA_S for
                            the lexicon's AA */
  bool fold_case;        /* LM words that the lexicon has in lower or upper
                            case only are that word */
  int32_t on_missing;    /* sn_graph_missing */
  double lookahead;      /* exponent of the sum over the words that an arc can
                            still lead to: 1: their probability, 20: the best
                            one's */
  double grammar_weight; /* of a grammar beside an n-gram model */
  int32_t grammar_place; /* sn_graph_place */
} sn_graph_opts;
#define SN_GRAPH_MODELS_PENALTY 99.0
extern const sn_opt sn_graph_opt_table[];

/* Silence before the first and behind the last word. */
typedef enum sn_graph_edges {
  SN_EDGES_OPTIONAL,
  SN_EDGES_SILENCE
} sn_graph_edges;

/* Where fillers other than silence stand. They are rare; a copy of each in
 * every history makes the graph a sixth larger and keeps the search busy. */
typedef enum sn_graph_noises {
  SN_NOISES_EVERYWHERE, /* in every history, which goes on behind them */
  SN_NOISES_BACKED_OFF, /* in the shortest history only, which is backed off to
                           at its cost; and where an utterance starts */
  SN_NOISES_NONE
} sn_graph_noises;

/* A grammar beside an n-gram model. */
typedef enum sn_graph_place {
  SN_PLACE_ANYWHERE, /* its sentences are phrases, said wherever the model has
                        no history, with probability grammar_weight there */
  SN_PLACE_SENTENCE  /* an utterance is a sentence of the grammar, with
                        probability grammar_weight, or one of the model */
} sn_graph_place;

/* A word of the LM or grammar that the lexicon does not have. */
typedef enum sn_graph_missing {
  SN_MISSING_REFUSE, /* SN_EMISMATCH; count and first names in err, all of
                        them in log */
  SN_MISSING_DROP    /* left out of the graph; counted and named in log */
} sn_graph_missing;

typedef struct sn_graph_stats {
  int64_t n_states, n_emit, n_eps, n_labels;
  int64_t n_missing_words;
  double cpu_s;       /* of the whole build */
  int64_t peak_bytes; /* resident, of the process */
} sn_graph_stats;

/* G is one of: an n-gram model, a grammar, or both (the grammar's paths are
 * added to the model's: see docs/graph.md). Either may be NULL, not both.
 * Writes the graph file at `path` (temporary name, renamed when complete). The
 * same input gives the same bytes. stats may be NULL. */
SN_NODISCARD sn_status sn_graph_build(const sn_am *am, const sn_lexicon *lex,
                                      const sn_ngram *lm,
                                      const sn_grammar *grammar,
                                      const sn_graph_opts *opts, sn_log *log,
                                      const char *path, sn_graph_stats *stats,
                                      sn_err *err);

/* The same with classes for words of the n-gram model (lm/word_class.h): each
 * is replaced by its members in G, at the model's cost of the class's word and
 * what the member costs in its grammar. */
typedef struct sn_graph_inputs {
  const sn_am *am;
  const sn_lexicon *lex;
  const sn_ngram *lm;             /* or NULL */
  const sn_grammar *grammar;      /* or NULL */
  const sn_word_classes *classes; /* or NULL; they need lm */
} sn_graph_inputs;
SN_NODISCARD sn_status sn_graph_build_from(const sn_graph_inputs *in,
                                           const sn_graph_opts *opts,
                                           sn_log *log, const char *path,
                                           sn_graph_stats *stats, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
