/* SPDX-License-Identifier: Apache-2.0 */
/* lm/jsgf_internal.h - a JSGF grammar as trees, between parser and builder. */
#ifndef SN_LM_JSGF_INTERNAL_H
#define SN_LM_JSGF_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "base/str.h"
#include "lm/grammar.h"

typedef enum sni_jsgf_kind {
  SNI_JSGF_WORD,     /* value: word id */
  SNI_JSGF_RULE,     /* value: rule index */
  SNI_JSGF_NULL,     /* says nothing */
  SNI_JSGF_VOID,     /* can not be said */
  SNI_JSGF_SEQUENCE, /* of children, maybe none */
  SNI_JSGF_CHOICE,   /* of children, by their weights */
  SNI_JSGF_OPTIONAL, /* one child, like all that follow */
  SNI_JSGF_STAR,
  SNI_JSGF_PLUS
} sni_jsgf_kind;

/* Nodes are named by index; -1 is none. */
typedef struct sni_jsgf_node {
  sni_jsgf_kind kind;
  int32_t value;
  int32_t child, next; /* first child, next sibling */
  double weight;       /* among the siblings of a choice */
  int64_t line;
} sni_jsgf_node;

typedef struct sni_jsgf_rule {
  int32_t body; /* node, -1: referred to only */
  bool is_public;
  int64_t line;           /* of the definition */
  int64_t reference_line; /* of the first reference */
} sni_jsgf_rule;

typedef struct sni_jsgf {
  const char *path; /* borrowed; for messages */
  char *name;       /* of the grammar */
  sn_symtab *words, *rule_names;
  SN_ARR(sni_jsgf_node) nodes;
  SN_ARR(sni_jsgf_rule) rules; /* by id in rule_names */
} sni_jsgf;

/* Zeroed before; clear in any case afterwards. Every reference is resolved
 * when it succeeds. */
SN_NODISCARD sn_status sni_jsgf_parse(sni_jsgf *g, const char *text, size_t n,
                                      sn_err *err);
void sni_jsgf_clear(sni_jsgf *g);
/* Takes words and name out of g. */
SN_NODISCARD sn_status sni_jsgf_build(sni_jsgf *g, const char *rule,
                                      sn_grammar *out, sn_err *err);

/* Merges states on epsilon cycles, drops what does not lie between start and
 * final, contracts needless epsilon arcs and renumbers the states.
 * SN_EFORMAT (err not filled) when nothing is left. */
SN_NODISCARD sn_status sni_grammar_tidy(sn_grammar *g, sn_err *err);

/* Strongly connected components of a directed graph (Tarjan 1972, without
 * recursion): component[v] of every node, numbered in reverse topological
 * order. Edges of v: to[first[v] .. first[v + 1]). */
SN_NODISCARD sn_status sni_components(int32_t n, const int32_t *first,
                                      const int32_t *to, int32_t *component,
                                      sn_err *err);
#endif
